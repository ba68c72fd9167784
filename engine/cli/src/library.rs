//! Where skills and workflows are found: by path, in the current folder's project, in the caller's own project, in the
//! user's configuration folder, among the built-ins. The first one wins.

use crate::builtin;
use crate::paths::Paths;
use assay_diagnostics::is_worth_suggesting;
use assay_manifest::{Origin, absolute};
use assay_plan::{Found, Library, NotFound};
use std::cell::{Cell, OnceCell};
use std::path::{Path, PathBuf};

/// Longest manifest that is read; the reader of YAML has the same limit.
pub(crate) const LONGEST: u64 = 16 << 20;

/// Finds manifests. `base` is where relative names start: the caller's directory, on resume the one recorded.
#[derive(Debug)]
pub struct Shelves<'a> {
    paths: &'a Paths,
    base: PathBuf,
    /// Every name, once one was not found.
    names: OnceCell<Vec<String>>,
    /// How often one was not found.
    missed: Cell<usize>,
}

/// A manifest file that could be run, or is shadowed by one of the same name before it.
#[derive(Debug, Clone)]
pub struct Listed {
    /// The name it is found by.
    pub name: String,
    /// Its file as users know it.
    pub shown: String,
    /// Where it was found: `project`, `user` or `builtin`.
    pub place: &'static str,
    /// Its text, or why it cannot be read.
    pub text: Result<String, String>,
    /// Another manifest of this name comes first.
    pub shadowed: bool,
}

impl<'a> Shelves<'a> {
    /// Relative names start at `base`.
    pub fn new(paths: &'a Paths, base: &Path) -> Self {
        Self { paths, base: base.to_owned(), names: OnceCell::new(), missed: Cell::new(0) }
    }

    /// The manifest that a user names: a path, or a name.
    pub fn named(&self, wanted: &str) -> Result<Found, NotFound> {
        if let Some(name) = wanted.strip_prefix(builtin::PREFIX) {
            return self.builtin(name).unwrap_or_else(|| Err(self.unknown(name)));
        }
        if is_path(wanted) {
            return self.at_path(&absolute(&self.base, wanted), wanted);
        }
        let folders = [self.base.clone(), self.paths.config.clone()];
        self.by_name(wanted, &folders)
    }

    fn by_name(&self, name: &str, folders: &[PathBuf]) -> Result<Found, NotFound> {
        // A name that is no file name cannot leave the folders looked at.
        let plain = !name.is_empty() && !name.starts_with('.') && !name.contains(['/', '\0']);
        let files = folders.iter().flat_map(|folder| candidates(folder, name));
        if let Some(file) = files.into_iter().find(|file| plain && file.is_file()) {
            return self.read(&file);
        }
        self.builtin(name).unwrap_or_else(|| Err(self.unknown(name)))
    }

    fn at_path(&self, path: &Path, wanted: &str) -> Result<Found, NotFound> {
        let inside = path.join("skill.yaml");
        if path.is_dir() && inside.is_file() {
            return self.read(&inside);
        }
        if path.is_file() {
            return self.read(path);
        }
        let why = if path.is_dir() {
            format!("the folder `{wanted}` holds no `skill.yaml`")
        } else {
            format!("there is no file `{wanted}`")
        };
        Err(NotFound { why, known: Vec::new() })
    }

    fn read(&self, file: &Path) -> Result<Found, NotFound> {
        let shown = self.paths.shown(file);
        let text = read_text(file).map_err(|why| NotFound { why, known: Vec::new() })?;
        let dir = file.parent().unwrap_or(Path::new("/")).to_owned();
        Ok(Found { shown, text, origin: Origin { file: file.to_string_lossy().into_owned(), dir } })
    }

    fn builtin(&self, name: &str) -> Option<Result<Found, NotFound>> {
        let builtin = builtin::get(name)?;
        let file = format!("{}{name}", builtin::PREFIX);
        Some(match builtin.dir(&self.paths.cache) {
            Ok(dir) => {
                Ok(Found { shown: file.clone(), text: builtin.text.to_owned(), origin: Origin { file, dir } })
            }
            Err(failure) => Err(NotFound { why: failure.message, known: Vec::new() }),
        })
    }

    fn unknown(&self, name: &str) -> NotFound {
        // A manifest may call thousands that do not exist: the shelves are looked through once.
        let known = self.names.get_or_init(|| {
            let shelves = [&self.base, &self.paths.config].into_iter().flat_map(|folder| on_shelf(folder));
            let builtins = builtin::all().map(|builtin| builtin.name.to_owned());
            let mut names: Vec<String> = shelves.map(|(name, _)| name).chain(builtins).collect();
            names.dedup();
            names
        });
        let missed = self.missed.replace(self.missed.get() + 1);
        let known = if is_worth_suggesting(missed, known.len()) { known.clone() } else { Vec::new() };
        NotFound { why: format!("there is no skill or workflow called `{name}`"), known }
    }

    /// Everything that can be found by name, in the order of the search.
    pub fn list(&self) -> Vec<Listed> {
        let mut found: Vec<Listed> = Vec::new();
        for (folder, place) in [(&self.base, "project"), (&self.paths.config, "user")] {
            for (name, file) in on_shelf(folder) {
                let shadowed = found.iter().any(|listed| listed.name == name);
                let text = read_text(&file);
                found.push(Listed { name, shown: self.paths.shown(&file), place, text, shadowed });
            }
        }
        for builtin in builtin::all() {
            let shadowed = found.iter().any(|listed| listed.name == builtin.name);
            found.push(Listed {
                name: builtin.name.to_owned(),
                shown: format!("{}{}", builtin::PREFIX, builtin.name),
                place: "builtin",
                text: Ok(builtin.text.to_owned()),
                shadowed,
            });
        }
        found
    }

    /// The text of a manifest by the file that its origin names.
    pub fn text_of(&self, file: &str) -> Option<String> {
        match file.strip_prefix(builtin::PREFIX) {
            Some(name) => builtin::get(name).map(|builtin| builtin.text.to_owned()),
            None => read_text(Path::new(file)).ok(),
        }
    }
}

impl Library for Shelves<'_> {
    fn find(&self, name: &str, caller: &Origin) -> Result<Found, NotFound> {
        let mut folders = vec![self.base.clone()];
        if !caller.file.starts_with(builtin::PREFIX) {
            folders.extend(project_of(&caller.dir));
        }
        folders.push(self.paths.config.clone());
        self.by_name(name, &folders)
    }
}

/// Whether a user means a path rather than a name.
fn is_path(wanted: &str) -> bool {
    wanted.contains('/') || wanted.starts_with('.') || wanted.ends_with(".yaml") || wanted.ends_with(".yml")
}

fn candidates(folder: &Path, name: &str) -> [PathBuf; 2] {
    [
        folder.join("skills").join(name).join("skill.yaml"),
        folder.join("workflows").join(format!("{name}.yaml")),
    ]
}

/// The folder that holds `skills/` and `workflows/` around a manifest's folder.
fn project_of(dir: &Path) -> Option<PathBuf> {
    let parent = dir.parent()?;
    match parent.file_name() {
        Some(name) if name == "skills" => parent.parent().map(Path::to_owned),
        _ => Some(parent.to_owned()),
    }
}

/// Names and files below `skills/` and `workflows/` of a folder, by name.
fn on_shelf(folder: &Path) -> Vec<(String, PathBuf)> {
    let names = |folder: &Path| -> Vec<String> {
        let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
        let mut names: Vec<String> =
            entries.filter_map(|entry| entry.file_name().into_string().ok()).collect();
        names.sort();
        names
    };
    let skills = names(&folder.join("skills")).into_iter();
    let workflows = names(&folder.join("workflows")).into_iter();
    let workflows = workflows.filter_map(|name| name.strip_suffix(".yaml").map(str::to_owned));
    let skills = skills.map(|name| (candidates(folder, &name)[0].clone(), name));
    let workflows = workflows.map(|name| (candidates(folder, &name)[1].clone(), name));
    skills.chain(workflows).filter(|(file, _)| file.is_file()).map(|(file, name)| (name, file)).collect()
}

/// The text of a manifest file.
pub fn read_text(file: &Path) -> Result<String, String> {
    let fail = |error: std::io::Error| format!("cannot read `{}`: {error}", file.display());
    if std::fs::metadata(file).map_err(fail)?.len() > LONGEST {
        return Err(format!("`{}` is larger than 16 MiB", file.display()));
    }
    let bytes = std::fs::read(file).map_err(fail)?;
    String::from_utf8(bytes).map_err(|error| {
        format!("`{}` is not valid UTF-8 (byte {})", file.display(), error.utf8_error().valid_up_to())
    })
}

#[cfg(test)]
mod tests {
    use super::Shelves;
    use crate::env::Env;
    use crate::paths::Paths;
    use assay_plan::Library;
    use std::path::Path;

    fn write(file: &Path) {
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(file, "kind: Skill\n").unwrap();
    }

    fn paths(home: &Path, cwd: &Path) -> Paths {
        let mut env = Env::bare(cwd);
        env.vars.insert("HOME".to_owned(), home.to_string_lossy().into_owned());
        Paths::new(&env, None)
    }

    #[test]
    fn the_nearest_wins_and_the_others_are_shadowed() {
        let home = tempfile::tempdir().unwrap();
        let cwd = tempfile::tempdir().unwrap();
        let paths = paths(home.path(), cwd.path());
        let shelves = Shelves::new(&paths, cwd.path());
        assert_eq!(shelves.named("quickstart").unwrap().shown, "builtin:quickstart");
        write(&home.path().join(".config/assay/workflows/quickstart.yaml"));
        assert!(
            shelves.named("quickstart").unwrap().shown.ends_with(".config/assay/workflows/quickstart.yaml")
        );
        write(&cwd.path().join("workflows/quickstart.yaml"));
        assert_eq!(shelves.named("quickstart").unwrap().shown, "workflows/quickstart.yaml");
        write(&cwd.path().join("skills/quickstart/skill.yaml"));
        assert_eq!(shelves.named("quickstart").unwrap().shown, "skills/quickstart/skill.yaml");
        let listed = shelves.list();
        let of_name: Vec<bool> =
            listed.iter().filter(|one| one.name == "quickstart").map(|one| one.shadowed).collect();
        assert_eq!(of_name, [false, true, true, true]);
        assert_eq!(shelves.named("builtin:quickstart").unwrap().shown, "builtin:quickstart");
    }

    #[test]
    fn paths_lead_to_files_and_to_folders_of_skills() {
        let home = tempfile::tempdir().unwrap();
        let cwd = tempfile::tempdir().unwrap();
        let paths = paths(home.path(), cwd.path());
        let shelves = Shelves::new(&paths, cwd.path());
        write(&cwd.path().join("a b/skill.yaml"));
        assert_eq!(shelves.named("./a b").unwrap().shown, "a b/skill.yaml");
        assert_eq!(shelves.named("a b/skill.yaml").unwrap().origin.dir, cwd.path().join("a b"));
        assert_eq!(shelves.named("./none").unwrap_err().why, "there is no file `./none`");
        let unknown = shelves.named("quickstrat").unwrap_err();
        assert!(unknown.known.contains(&"quickstart".to_owned()));
    }

    #[test]
    fn a_call_also_looks_around_its_caller() {
        let home = tempfile::tempdir().unwrap();
        let cwd = tempfile::tempdir().unwrap();
        let other = tempfile::tempdir().unwrap();
        let paths = paths(home.path(), cwd.path());
        let shelves = Shelves::new(&paths, cwd.path());
        write(&other.path().join("workflows/w.yaml"));
        write(&other.path().join("skills/s/skill.yaml"));
        write(&other.path().join("skills/t/skill.yaml"));
        let caller = |file: &str| shelves.named(other.path().join(file).to_str().unwrap()).unwrap().origin;
        let found = shelves.find("s", &caller("workflows/w.yaml")).unwrap();
        assert_eq!(found.origin.dir, other.path().join("skills/s"));
        assert!(
            shelves.find("t", &caller("skills/s/skill.yaml")).is_ok(),
            "skills of one project find each other"
        );
        assert!(shelves.find("../skills/s", &caller("workflows/w.yaml")).is_err());
    }
}
