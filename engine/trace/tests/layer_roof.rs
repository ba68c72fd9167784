//! MFU by layer: sums of what the shapes of a layer's calls say, over its own wall time.

use assay_trace::generate::{Recipe, write};
use assay_trace::layers::{self, LayerOptions};
use assay_trace::view::roofline::{self, RoofOptions};
use assay_trace::{Analysis, Options, read, view};
use std::path::Path;

#[test]
fn every_layer_has_its_own_calls_and_no_more() {
    let recipe = Recipe { prefill: 3, decode: 3, layers: 4, noise: 1, seed: 71, ..Recipe::default() };
    let mut text = Vec::new();
    let truth = write(&recipe, &mut text).expect("a trace");
    let trace = read::read_json(Path::new("generated.json"), &text[..]).expect("a trace");
    let analysis = Analysis::new(&trace, Options::default());
    let found = layers::find(&analysis, &LayerOptions::default()).expect("layers");
    let report = view::layers::report(&analysis, &found, &LayerOptions::default());
    let options = RoofOptions::default();
    let rows = roofline::layers::build(&analysis, &options, &found, &report);
    assert_eq!(rows.len(), report.tables.iter().map(|table| table.rows.len()).sum::<usize>());
    for row in &rows {
        let known = &truth.passes[row.pass as usize].layers[row.layer as usize];
        assert_eq!(row.wall_ns as u64, known.end_ns - known.start_ns);
        assert!(row.flops > 0 && row.covered_share > 0.0 && row.covered_share <= 100.0, "{row:?}");
        // Either a believable number or the reason why not.
        assert!(row.mfu.is_some() != row.withheld.is_some(), "{row:?}");
        assert!(row.mfu.is_none_or(|mfu| mfu > 0.0 && mfu <= 100.0), "{row:?}");
    }
    let whole = roofline::build(&analysis, &options);
    let of_stage =
        |stage| whole.stages.iter().find(|all| all.stage == stage).map_or(0, |all| all.utilisation.flops);
    for table in &report.tables {
        let of_layers: u64 = rows.iter().filter(|row| row.pass == table.pass).map(|row| row.flops).sum();
        // Three passes of the stage; the head is of no layer.
        assert!(of_layers * 3 <= of_stage(table.stage), "{of_layers} of {}", of_stage(table.stage));
    }
}
