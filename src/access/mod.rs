//! Says what a plan asks of the server before anything is rendered, makes the policy that grants it, and compares
//! it with what a login may really do.
//!
//! `wants` and `rules` are pure. Only `survey` asks the server, and it mints nothing. `turns` keeps to the limited rate.

#[cfg(feature = "clouds")]
pub mod grants;
pub mod rules;
pub mod stores;
pub mod survey;
mod turns;
pub mod wants;

/// Returns the plan of a configuration with these keys, for tests.
#[cfg(test)]
pub(crate) fn test_plan(yaml: &str) -> crate::config::plan::Plan {
    use crate::config::read::{Inputs, Text, read};
    let head = "vault: {address: 'https://v:8200'}\nauth: {method: kubernetes, role: web}\nsecrets_dir: /s\n";
    let texts = [Text { name: "c.yaml".into(), bytes: format!("{head}{yaml}").into() }];
    let inputs = Inputs {
        texts: &texts,
        flags: &[],
        env: &|_| None,
        read_file: &|_| Err(std::io::ErrorKind::NotFound.into()),
        functions: crate::functions::all(),
        look: None,
        elsewhere: false,
        folder: std::path::Path::new("/"),
    };
    read(&inputs).expect("a good configuration").0
}
