//! The page as people use it: with the keyboard, with a screen reader, in the light and in the dark.

use std::process::Command;

use serde_json::{Value, json};

use crate::chromium::Chromium;
use crate::possible;
use crate::site::{Server, built};

/// Opens the page. The server ends when the tuple is dropped.
pub(crate) fn page() -> (Server, Chromium) {
    let (server, mut browser) = (Server::start(), Chromium::start());
    browser.open(&format!("{}playground/index.html", server.origin));
    (server, browser)
}

pub(crate) const STATUS: &str = "document.getElementById('status').textContent";
const FOCUS: &str = "document.activeElement.id || document.activeElement.tagName.toLowerCase()";

/// Replaces what is in the field that has the focus, as a person at a keyboard does.
pub(crate) fn type_over(browser: &mut Chromium, text: &str) {
    browser.evaluate("document.activeElement.select()");
    browser.call("Input.insertText", json!({"text": text}));
}

#[test]
fn a_template_is_tried_with_the_keyboard_alone_and_a_mistake_is_shown_with_its_place() {
    if !possible() {
        return;
    }
    let (_server, mut browser) = page();
    let first = browser.evaluate("document.getElementById('output').textContent");
    assert_eq!(first, "\nDATABASE_URL=postgres://web:correct horse@db.example/web\nLOG_LEVEL=debug\n");

    let mut order = Vec::new();
    for _ in 0..6 {
        browser.press("Tab", 9);
        order.push(browser.evaluate(FOCUS).as_str().unwrap_or_default().to_owned());
    }
    assert_eq!(order, ["kind-template", "example", "template", "secrets", "summary", "output"]);

    browser.evaluate("document.getElementById('template').focus()");
    type_over(&mut browser, "a\n{{ with secret \"kv/web\" }}\n  ü{{ .Data.usr }}{{ end }}");
    browser.wait_for(&format!("{STATUS}.startsWith('Not rendered. Secrets')"));
    assert_eq!(browser.evaluate(STATUS), "Not rendered. Secrets: kv/web is not among the secrets");

    browser.evaluate("document.getElementById('secrets').focus()");
    type_over(&mut browser, "kv/web: {user: web}");
    browser.wait_for(&format!("{STATUS}.includes('line 3')"));
    let said = "Not rendered. Template, line 3, column 12: at <.Data.usr>: map has no entry for key \"usr\"";
    assert_eq!(browser.evaluate(STATUS), said);
    let hint = browser.evaluate("document.querySelector('#problems li p:nth-of-type(2)').textContent");
    assert_eq!(hint, "What to do: did you mean `user`?");

    // From the secrets past the summary to the button, which leads to the place.
    browser.press("Tab", 9);
    browser.press("Tab", 9);
    assert_eq!(browser.evaluate(FOCUS), "go-1");
    browser.press("Enter", 13);
    assert_eq!(browser.evaluate(FOCUS), "template");
    let rest = "document.activeElement.value.slice(document.activeElement.selectionStart)";
    assert_eq!(browser.evaluate(rest), ".usr }}{{ end }}");

    type_over(&mut browser, "{{ with secret \"kv/web\" }}{{ .Data.user }}{{ end }}");
    browser.wait_for(&format!("{STATUS} === 'Rendered: 1 line.'"));
    assert_eq!(browser.evaluate("document.getElementById('output').textContent"), "web");
}

#[test]
fn what_a_browser_has_not_fails_with_a_sentence_that_says_so() {
    if !possible() {
        return;
    }
    let (_server, mut browser) = page();
    for (template, words) in [
        ("{{ env \"HOME\" }}", "the template reads the variable HOME, and a browser has no environment"),
        (
            "{{ file \"/etc/passwd\" }}",
            "the playground reads no files; put what is in the file into the template",
        ),
        (
            "{{ sockaddr \"GetPrivateIP\" }}",
            "a browser does not show the network interfaces to the playground",
        ),
        ("{{ plugin \"id\" }}", "function \"plugin\" not defined"),
        ("{{ writeToFile \"/a\" \"\" \"\" \"0600\" \"x\" }}", "writeToFile: the playground writes no files"),
        ("{{ sprig_dateInZone \"15\" 0 \"Europe/Berlin\" }}", "time-zone database has no zone of that name"),
    ] {
        let render = format!(
            "import('./engine.js').then((engine) => engine.render({}))",
            json!({"template": template})
        );
        let answer = browser.evaluate(&render);
        assert!(answer["error"].as_str().unwrap_or_default().contains(words), "{template}: {answer}");
        assert!(!answer["hint"].as_str().unwrap_or_default().is_empty(), "{template}: {answer}");
    }
}

#[test]
fn nothing_is_sent_anywhere_and_the_browser_holds_the_page_to_that() {
    if !possible() {
        return;
    }
    let (server, mut browser) = page();
    let files = browser.requested();
    assert!(files.len() >= 5, "{files:?}");
    let strangers: Vec<&String> =
        files.iter().filter(|url| !url.starts_with(&server.origin) && !url.starts_with("data:")).collect();
    assert!(strangers.is_empty(), "{strangers:?}");

    browser.evaluate("document.getElementById('template').focus()");
    type_over(&mut browser, "typed");
    browser.wait_for("document.getElementById('output').textContent === 'typed'");
    assert_eq!(browser.requested(), files, "no request while a person types");

    // Another port is another origin.
    for attempt in [
        "fetch('http://127.0.0.1:9/')",
        "new Promise((_, refused) => { const image = new Image(); image.onerror = refused; image.src = 'http://127.0.0.1:9/x.png'; })",
    ] {
        let refused = format!(
            "new Promise((done) => {{ document.addEventListener('securitypolicyviolation', \
             (event) => done(event.violatedDirective), {{ once: true }}); {attempt}.catch(() => {{}}); }})"
        );
        let by = browser.evaluate(&refused);
        assert!(by == "connect-src" || by == "img-src", "{attempt}: {by}");
    }
}

/// Returns the role and the name of everything that can have the focus, as a screen reader says them.
fn names(browser: &mut Chromium) -> Vec<(String, String)> {
    let tree = browser.call("Accessibility.getFullAXTree", json!({}));
    let nodes = tree["nodes"].as_array().expect("a list");
    let text = |node: &Value, key: &str| node[key]["value"].as_str().unwrap_or_default().to_owned();
    let focusable = |node: &&Value| {
        let properties = node["properties"].as_array().map(Vec::as_slice).unwrap_or_default();
        properties
            .iter()
            .any(|property| property["name"] == "focusable" && property["value"]["value"] == true)
    };
    nodes.iter().filter(focusable).map(|node| (text(node, "role"), text(node, "name"))).collect()
}

#[test]
fn every_control_has_a_name_and_what_changes_is_announced() {
    if !possible() {
        return;
    }
    let (_server, mut browser) = page();
    assert!(
        names(&mut browser).iter().any(|(_, name)| name == "What comes out"),
        "the output can be scrolled"
    );
    // All fields at once, with a problem.
    let show = "document.querySelector('details').open = true; \
                document.querySelectorAll('[data-kind]').forEach((part) => { part.hidden = false; })";
    browser.evaluate(show);
    browser.evaluate("document.getElementById('template').focus()");
    type_over(&mut browser, "{{ .a");
    browser.wait_for("document.getElementById('go-1')");
    let names = names(&mut browser);
    let controls: Vec<&(String, String)> = names.iter().filter(|(role, _)| role != "RootWebArea").collect();
    assert!(controls.len() >= 8, "{names:?}");
    assert!(controls.iter().all(|(_, name)| !name.is_empty()), "{names:?}");
    for name in [
        "a template",
        "a leasehold.yaml",
        "an agent.hcl",
        "Example",
        "Template",
        "Secrets",
        "Environment",
        "Left delimiter",
        "A missing key",
        "leasehold.yaml",
        "agent.hcl",
    ] {
        assert!(names.iter().any(|(_, it)| it == name), "{name}: {names:?}");
    }
    let button = names.iter().find(|(role, _)| role == "button").map(|(_, name)| name.as_str());
    assert_eq!(button, Some("Go to the place, line 1, column 6"));
    assert!(names.iter().all(|(_, name)| name != "What comes out"), "nothing came out: {names:?}");
    assert_eq!(browser.evaluate("document.querySelector('fieldset legend').textContent"), "What to try");
    assert_eq!(browser.evaluate("document.getElementById('status').getAttribute('role')"), "status");
}

/// The contrast of the colours of an element, as WCAG counts it.
const CONTRAST: &str = "(id) => { const light = (text) => { const [r, g, b] = text.match(/\\d+/g).slice(0, 3)\
    .map((part) => part / 255).map((part) => part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4); \
    return 0.2126 * r + 0.7152 * g + 0.0722 * b; }; let element = document.querySelector(id); \
    const ink = light(getComputedStyle(element).color); \
    while (getComputedStyle(element).backgroundColor === 'rgba(0, 0, 0, 0)') element = element.parentElement; \
    const paper = light(getComputedStyle(element).backgroundColor); \
    return (Math.max(ink, paper) + 0.05) / (Math.min(ink, paper) + 0.05); }";

#[test]
fn every_text_can_be_read_in_the_light_and_in_the_dark() {
    if !possible() {
        return;
    }
    let (_server, mut browser) = page();
    browser.evaluate("document.getElementById('template').focus()");
    type_over(&mut browser, "{{ .a");
    browser.wait_for("document.getElementById('go-1')");
    let mut papers = Vec::new();
    for scheme in ["light", "dark"] {
        let feature = json!([{"name": "prefers-color-scheme", "value": scheme}]);
        browser.call("Emulation.setEmulatedMedia", json!({"features": feature}));
        papers.push(browser.evaluate("getComputedStyle(document.body).backgroundColor"));
        for element in [
            "body",
            "#template",
            "#output",
            "small",
            "footer",
            ".what.error",
            "#problems pre",
            "button",
            "legend",
        ] {
            let contrast = browser.evaluate(&format!("({CONTRAST})('{element}')"));
            // What level AA asks of small text.
            assert!(contrast.as_f64().is_some_and(|ratio| ratio >= 4.5), "{scheme} {element}: {contrast}");
        }
    }
    assert_ne!(papers[0], papers[1]);
}

#[test]
fn the_page_is_small_and_shows_its_first_output_soon() {
    if !possible() {
        return;
    }
    let packed = Command::new("sh")
        .args(["-c", "find . -type f -exec gzip -9c {} + | wc -c"])
        .current_dir(built().join("playground"))
        .output()
        .expect("a shell");
    let packed: u64 = String::from_utf8_lossy(&packed.stdout).trim().parse().expect("a number");
    assert!(packed < 3_000_000, "{packed} bytes");
    let (_server, mut browser) = page();
    let took = browser.evaluate("Number(document.body.dataset.ready)").as_u64().expect("milliseconds");
    println!("{packed} bytes compressed, first output after {took} ms");
    // A second on a quiet machine; tests run beside others.
    assert!(took < 5_000, "{took} ms");
}
