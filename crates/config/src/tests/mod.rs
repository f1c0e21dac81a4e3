//! The room as a whole: texts in, plans or problems out.

mod broken;
mod good;
mod hostile;
mod surroundings;
mod templates;

use std::collections::BTreeMap;
use std::io;
use std::path::Path;

use super::layers::Setting;
use super::plan::Plan;
use super::problem::{Problem, Rejected};
use super::read::{Inputs, Seen, Text, read};

/// The world as a test has it.
#[derive(Default)]
pub(crate) struct World {
    texts: Vec<Text>,
    env: BTreeMap<String, String>,
    files: BTreeMap<String, Vec<u8>>,
    flags: Vec<Setting>,
    /// What is at each path of the machine that a check looks at.
    machine: Option<BTreeMap<String, Seen>>,
    elsewhere: bool,
}

impl World {
    fn new(yaml: &str) -> Self {
        Self::empty().text("c.yaml", yaml)
    }

    /// Makes a bench without a configuration.
    pub(crate) fn empty() -> Self {
        Self::default()
            .file("/etc/passwd", "root:x:0:0::/:\nnginx:x:101:101::/:\n")
            .file("/etc/group", "tls:x:7:nginx\n")
            .file(
                "/etc/leasehold/tls.tpl",
                "{{ with secret \"pki/issue/web\" }}{{ .Data.certificate }}{{ end }}\n",
            )
    }

    pub(crate) fn text(mut self, name: &str, yaml: &str) -> Self {
        self.texts.push(Text { name: name.to_owned(), bytes: yaml.as_bytes().to_vec() });
        self
    }

    pub(crate) fn file(mut self, path: &str, text: &str) -> Self {
        self.files.insert(path.to_owned(), text.as_bytes().to_vec());
        self
    }

    pub(crate) fn var(mut self, name: &str, value: &str) -> Self {
        self.env.insert(name.to_owned(), value.to_owned());
        self
    }

    pub(crate) fn read(&self) -> Result<(Plan, Vec<Problem>), Rejected> {
        let read_file = |path: &Path| {
            let found = path.to_str().and_then(|path| self.files.get(path));
            found.cloned().ok_or_else(|| io::Error::from(io::ErrorKind::NotFound))
        };
        let env = |name: &str| self.env.get(name).cloned();
        let functions = leasehold_template::functions::all();
        let look = |path: &Path| {
            let known = self.machine.as_ref().zip(path.to_str());
            known.and_then(|(machine, path)| machine.get(path)).copied().unwrap_or(Seen::Nothing)
        };
        read(&Inputs {
            texts: &self.texts,
            flags: &self.flags,
            env: &env,
            read_file: &read_file,
            functions,
            look: self.machine.as_ref().map(|_| &look as &dyn Fn(&Path) -> Seen),
            elsewhere: self.elsewhere,
            folder: Path::new("/work-dir"),
        })
    }

    pub(crate) fn plan(&self) -> Plan {
        match self.read() {
            Ok((plan, _)) => plan,
            Err(rejected) => panic!("refused: {:#?}", rejected.problems),
        }
    }

    /// Returns the problems, each on one line.
    pub(crate) fn problems(&self) -> Vec<String> {
        let problems = match self.read() {
            Ok((_, notices)) => notices,
            Err(rejected) => rejected.problems,
        };
        problems.iter().map(Problem::one_line).collect()
    }
}
