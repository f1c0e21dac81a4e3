//! Configurations in the browser. Each answer is the same as that of the same code outside of WebAssembly. Unit tests
//! compare the answers of that code with `leasehold check` and `leasehold convert`.

use std::fs;

use serde_json::{Value, json};

use crate::chromium::Chromium;
use crate::page::{STATUS, page, type_over};
use crate::possible;
use crate::site::repository;

/// The folders with configurations, good and broken, of ours and of other programs.
const FOLDERS: [&str; 3] = ["tests/broken", "tests/agents", "examples"];

/// Returns the question for each configuration of the repository.
fn questions() -> Vec<Value> {
    let mut questions = Vec::new();
    for folder in FOLDERS {
        for entry in fs::read_dir(repository().join(folder)).expect("it is in the repository") {
            let path = entry.expect("an entry").path();
            let kind = path.extension().and_then(|ending| ending.to_str()).unwrap_or_default();
            // What is not Unicode cannot be typed.
            if let ("yaml" | "hcl", Ok(text)) = (kind, fs::read_to_string(&path)) {
                questions.push(json!({"kind": kind, "configuration": text}));
            }
        }
    }
    questions
}

#[test]
fn every_configuration_is_answered_in_the_browser_as_anywhere_else() {
    if !possible() {
        return;
    }
    let questions = questions();
    let (_server, mut browser) = page();
    let answers = browser.evaluate(&format!(
        "import('./engine.js').then(async ({{ render }}) => {{ const answers = []; \
         for (const question of {}) answers.push(await render(question)); return answers; }})",
        json!(questions)
    ));
    let answers = answers.as_array().expect("a list");
    assert_eq!(answers.len(), questions.len());
    let (mut good, mut refused, mut converted) = (0, 0, 0);
    for (question, there) in questions.iter().zip(answers) {
        let here = leasehold_playground::answer(question.to_string().as_bytes());
        assert_eq!(*there, serde_json::from_slice::<Value>(&here).expect("JSON"), "{question}");
        good += usize::from(there["good"] == true);
        refused += usize::from(there["good"] == false);
        converted += usize::from(there["output"].is_string());
    }
    println!("{} configurations: {good} good, {refused} refused, {converted} converted", questions.len());
    assert!(
        good > 10 && refused > 150 && converted > 30,
        "{good} good, {refused} refused, {converted} converted"
    );
}

/// Chooses what is tried, as a person does.
fn choose(browser: &mut Chromium, kind: &str) {
    browser.evaluate(&format!("document.getElementById('kind-{kind}').click()"));
    browser.evaluate(&format!("document.getElementById('{kind}').focus()"));
}

/// What is shown of each problem, without its excerpt.
const PROBLEMS: &str = "Array.from(document.querySelectorAll('#problems > li'), (item) => \
    Array.from(item.querySelectorAll('p'), (part) => part.textContent).join(' '))";

#[test]
fn a_leasehold_yaml_is_checked_and_a_mistake_is_shown_with_its_place() {
    if !possible() {
        return;
    }
    let (_server, mut browser) = page();
    choose(&mut browser, "yaml");
    browser.wait_for(&format!("{STATUS}.startsWith('The configuration is good')"));
    let said = "The configuration is good: 2 files, 0 notifiers, 0 warnings. A run writes the files below.";
    assert_eq!(browser.evaluate(STATUS), said);
    let files = browser.evaluate("document.getElementById('output').textContent");
    assert_eq!(files, "/leasehold/secrets/api-key\n/leasehold/secrets/app.env");

    let text = "vault: {address: 'https://v:8200'}\nauth: {method: kubernetes, role: web}\n\
                require_tmpfs: false\nfiles:\n- {path: /run/a, secret: 'ü', secrt: kv/a}\n";
    type_over(&mut browser, text);
    browser.wait_for(&format!("{STATUS}.includes('line 5')"));
    let said = "The configuration is refused: 1 error, 1 warning. leasehold.yaml, line 5, column 31: unknown key `secrt`";
    assert_eq!(browser.evaluate(STATUS), said);
    let problems = browser.evaluate(PROBLEMS);
    let problems: Vec<&str> = problems.as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    assert_eq!(problems.len(), 2, "{problems:?}");
    assert!(problems[0].starts_with("Warning: leasehold.yaml, line 3, column 16: "), "{problems:?}");
    let last =
        "Error: leasehold.yaml, line 5, column 31: unknown key `secrt` What to do: did you mean `secret`?";
    assert_eq!(problems[1], last);
    assert_eq!(browser.evaluate("document.getElementById('output').hidden"), true);
    assert_eq!(browser.evaluate("document.getElementById('yaml').getAttribute('aria-invalid')"), "true");

    browser.evaluate("document.getElementById('go-2').focus()");
    browser.press("Enter", 13);
    let rest = "document.activeElement.value.slice(document.activeElement.selectionStart)";
    assert_eq!(browser.evaluate(rest), "secrt: kv/a}\n");
}

#[test]
fn an_agent_hcl_comes_out_as_a_leasehold_yaml_with_what_is_refused() {
    if !possible() {
        return;
    }
    let (_server, mut browser) = page();
    choose(&mut browser, "hcl");
    browser.wait_for(&format!("{STATUS}.startsWith('Converted')"));
    let text = |path: &str| fs::read_to_string(repository().join(path)).expect("it is in the repository");
    let whole = text("tests/agents/nginx-tls.hcl");
    type_over(&mut browser, &whole);
    browser.wait_for("document.getElementById('output').textContent.includes('server.key')");
    let theirs = leasehold_config::read::Text { name: "agent.hcl".to_owned(), bytes: whole.into_bytes() };
    let none = |_: &std::path::Path| Err(std::io::ErrorKind::NotFound.into());
    let converted =
        leasehold_config::foreign::convert(&[theirs], "/".as_ref(), &none, None).expect("one of theirs");
    assert_eq!(browser.evaluate("document.getElementById('output').textContent"), json!(converted.yaml));

    let said = browser.evaluate(STATUS);
    let good = "Converted to a leasehold.yaml. The configuration is refused: 1 error, ";
    assert!(said.as_str().is_some_and(|said| said.starts_with(good)), "it names no server: {said}");

    type_over(&mut browser, &text("tests/broken/skipped-verification.hcl"));
    browser.wait_for(&format!("{STATUS}.includes('line 3')"));
    let said = browser.evaluate(STATUS);
    let said = said.as_str().unwrap_or_default();
    assert!(said.starts_with("Converted to a leasehold.yaml. The configuration is refused: "), "{said}");
    assert!(said.contains("agent.hcl, line 3, column 3: "), "{said}");

    let nowhere = "document.querySelectorAll('#problems > li:not(:has(pre))').length";
    let leading = "document.querySelectorAll('#problems > li:not(:has(pre)) button').length";
    assert_eq!((browser.evaluate(nowhere), browser.evaluate(leading)), (json!(3), json!(0)));

    type_over(&mut browser, "vault {\n  address = \n}\n");
    browser.wait_for(&format!("{STATUS}.startsWith('Not converted')"));
    assert_eq!(browser.evaluate("document.getElementById('output').hidden"), true);
}

#[test]
fn what_is_tried_is_chosen_with_the_keyboard_and_what_was_written_stays() {
    if !possible() {
        return;
    }
    let (_server, mut browser) = page();
    browser.evaluate("document.getElementById('template').focus()");
    type_over(&mut browser, "my own");
    browser.wait_for("document.getElementById('output').textContent === 'my own'");
    browser.evaluate("document.getElementById('kind-template').focus()");
    browser.press("ArrowDown", 40);
    browser.wait_for(&format!("{STATUS}.startsWith('The configuration is good')"));
    assert_eq!(browser.evaluate("document.activeElement.id"), "kind-yaml");
    let names = "Array.from(document.getElementById('example').options, (option) => option.text)";
    let examples = browser.evaluate(names);
    browser.press("ArrowDown", 40);
    browser.wait_for(&format!("{STATUS}.startsWith('Converted')"));
    assert_ne!(browser.evaluate(names), examples);
    browser.press("ArrowDown", 40);
    browser.wait_for(&format!("{STATUS} === 'Rendered: 1 line.'"));
    assert_eq!(browser.evaluate("document.getElementById('template').value"), "my own");
}

#[test]
fn every_example_is_good_but_those_that_say_that_they_are_not() {
    if !possible() {
        return;
    }
    let (_server, mut browser) = page();
    let answers = browser.evaluate(
        "Promise.all([import('./engine.js'), import('./examples.js')]).then(async ([{ render }, { examples }]) => { \
         const answers = []; for (const kind of ['yaml', 'hcl']) for (const { name, ...fields } of examples[kind]) \
         answers.push([name, await render({ kind, configuration: fields[kind] })]); return answers; })",
    );
    for answer in answers.as_array().expect("a list") {
        let (name, answer) = (answer[0].as_str().unwrap_or_default(), &answer[1]);
        let wrong = name.starts_with("Mistakes") || name.starts_with("What Leasehold refuses");
        assert_eq!(answer["good"], !wrong, "{name}: {answer}");
    }
}
