//! Every annotation that the injection reads, out of the tables that it is checked against, and the operator's
//! variables.

use leasehold_kubernetes::annotations::table::{OWN, Reach, Shape, Table, VAULT};
use leasehold_kubernetes::settings::VARIABLES;

use crate::reference::page::{cell, code};

const HEAD: &str = "# Annotations

What `leasehold-kubernetes` reads on a pod. [From vault-k8s](../guides/from-vault-k8s.md) says how to change over, and
[the decision](../decisions/0055-injection.md) why the injection is as it is.

Each value is checked when the pod is made: one outside its shape refuses the pod, with the annotation, the reason and what to
do. An annotation that is not known, or that has no effect, is a warning that kubectl shows.

`NAME` is the name of a secret, and `PARAMETER` that of a parameter. A boolean is one of `1 t T true True TRUE 0 f F false False
FALSE`; empty is false. A duration is one of Go, such as `30s` or `1h30m`.

## vault.hashicorp.com

All of vault-k8s 1.7.6. *Kept* does the same, *mapped* has the same effect by other means, *beaten* leaves a defect out, and
*refused* has no equivalent.

";

const TABLE: &str = "| annotation | value | verdict | what happens |\n| --- | --- | --- | --- |\n";

const OWN_HEAD: &str = "
## leasehold.dev

Leasehold's own. A pod has annotations of one of the two prefixes, not of both.

| annotation | value | what happens |
| --- | --- | --- |
";

const VARIABLES_HEAD: &str = "
## The operator's settings

The variables of vault-k8s' injector are read, so that its Deployment needs another image and nothing else. `LEASEHOLD_IMAGE`
names the image of Leasehold. `--settings FILE` has in YAML what the variables cannot say: `image`, `allowed_images`,
`image_has_shell`, `address`, `allowed_addresses`, `authority`, `namespace`, `token_audience`, `token_seconds`, `requests`, `limits`,
`native_sidecars`.

| variable | what it does |
| --- | --- |
";

pub(crate) fn page() -> String {
    let mut page = HEAD.to_owned() + TABLE;
    for entry in VAULT.entries {
        let [name, value] = [name(&VAULT, entry.name, entry.reach), value(entry.shape)];
        page.push_str(&format!("| {name} | {value} | {} | {} |\n", entry.verdict.word(), cell(entry.does)));
    }
    page.push_str(OWN_HEAD);
    for entry in OWN.entries {
        let [name, value] = [name(&OWN, entry.name, entry.reach), value(entry.shape)];
        page.push_str(&format!("| {name} | {value} | {} |\n", cell(entry.does)));
    }
    page.push_str(VARIABLES_HEAD);
    for variable in VARIABLES {
        page.push_str(&format!("| `AGENT_INJECT_{}` | {} |\n", variable.name, cell(variable.does)));
    }
    page
}

fn name(table: &Table, name: &str, reach: Reach) -> String {
    let whole = |behind: &str| code(&format!("{}{name}{behind}", table.prefix));
    match reach {
        Reach::Pod => whole(""),
        Reach::Secret => whole("-NAME"),
        Reach::Both => format!("{}, {}", whole(""), whole("-NAME")),
        Reach::Parameter => whole("-PARAMETER"),
    }
}

fn value(shape: Shape) -> String {
    match shape {
        Shape::Text => "text".to_owned(),
        Shape::Flag => "boolean".to_owned(),
        Shape::Number => "whole number".to_owned(),
        Shape::Decimal => "number".to_owned(),
        Shape::Duration => "duration".to_owned(),
        Shape::Quantity => "quantity".to_owned(),
        Shape::Word(words) => {
            let words: Vec<String> =
                words.iter().filter(|word| word.len() > 1).map(|word| code(word)).collect();
            words.join(", ")
        }
        Shape::Folder => "absolute path".to_owned(),
        Shape::Mode => "octal digits".to_owned(),
        Shape::Name => "name of an object".to_owned(),
        Shape::Patch => "JSON patch".to_owned(),
    }
}
