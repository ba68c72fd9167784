//! placeholder of table tests
use assay_diagnostics::SourceId;
use assay_yaml::{FormatRules, format};
#[test]
fn scratch() {
    let Ok(files) = std::env::var("F") else { return };
    for path in files.split(' ') {
        let text = std::fs::read_to_string(path).unwrap();
        let r = format(SourceId(0), &text, &FormatRules::default());
        match r { Ok(t) => { println!("{t}"); let again = format(SourceId(0), &t, &FormatRules::default()).unwrap(); assert_eq!(again, t);} Err(e) => println!("ERR {path} {e:?}") }
    }
}

#[test]
fn probe() {
    for text in ["- >\n  a\n  b ", "- >\n  a\n  b \n","- >\n  a\n  : ","- >\n  a\n  : \n", "- |\n  a\n  : ", "- >\n  b", "- >\n  b\n  c"] {
        println!("{text:?} {:?}", assay_yaml::parse(SourceId(0), text, &Default::default()).root.map(|r| r.to_json()));
    }
}
