//! Workflows with servers, and what must be left of them: nothing.

use crate::support::{Done, Scene, eventually, processes_with};
use std::time::Duration;

/// Writes a workflow; `@` stands for the scene's folder.
pub fn workflow(scene: &Scene, name: &str, body: &str) -> String {
    scene.workflow(name, &body.replace('@', &scene.dir().to_string_lossy()))
}

/// Nothing that names this scene's folder, or this marker, runs any more.
#[track_caller]
pub fn nothing_left(scene: &Scene, marker: Option<&str>) {
    let folder = scene.dir().to_string_lossy().into_owned();
    for marker in std::iter::once(folder.as_str()).chain(marker) {
        let gone = eventually(Duration::from_secs(3), || processes_with(marker).is_empty());
        assert!(gone, "left running: {:?}", processes_with(marker));
    }
}

#[track_caller]
pub fn reason(scene: &Scene, step: &str) -> String {
    scene.finished(step)["reason"].as_str().unwrap_or_default().to_owned()
}

pub fn rehearse(scene: &Scene, file: &str) -> Done {
    scene.assay(&["run", file, "--rehearse"])
}
