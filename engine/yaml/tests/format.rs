use assay_diagnostics::SourceId;
use assay_yaml::{FormatRules, format};
#[test]
fn scratch() {
    for path in std::env::var("F").unwrap().split(' ') {
        let text = std::fs::read_to_string(path).unwrap();
        let r = format(SourceId(0), &text, &FormatRules::default());
        match r { Ok(t) => { println!("{t}"); let again = format(SourceId(0), &t, &FormatRules::default()).unwrap(); assert_eq!(again, t);} Err(e) => println!("ERR {path} {e:?}") }
    }
}
