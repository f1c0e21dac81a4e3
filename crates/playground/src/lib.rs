#![doc = include_str!("../README.md")]

mod answer;
mod browser;
mod configuration;
mod question;
#[cfg(target_family = "wasm")]
mod wasm;

use leasehold_base::given::Given;
use leasehold_template::value::Value;
use leasehold_template::{Limits, Template, functions};

use answer::Answer;
use browser::Browser;
use question::Question;

/// What the template is called in its errors, as `leasehold render --template -` calls it.
const NAME: &str = "template";

/// Renders or checks what `question` asks, and returns the answer. Both are JSON; the README says what is in them.
#[must_use]
pub fn answer(question: &[u8]) -> Vec<u8> {
    let answer = match Question::read(question) {
        Some(Question::Template(template)) => render(&template),
        Some(Question::Configuration(language, text)) => {
            Answer::Checked(Box::new(configuration::report(language, &text)))
        }
        None => Answer::of_the_page(),
    };
    answer.to_json()
}

fn render(question: &question::Template) -> Answer {
    let text = question.template.expose();
    let delimiters = Some((question.left.as_str(), question.right.as_str()));
    let template = match Template::parse(NAME, text, delimiters, functions::all()) {
        Ok(template) => template,
        Err(error) => return Answer::unparsable(text, &error),
    };
    let given = match Given::from_yaml(question.secrets.expose()) {
        Ok(given) => given,
        Err(error) => return Answer::of_secrets(&error),
    };
    let mut browser = Browser::new(&given, question);
    let result = template.execute(Value::Nil, question.missing_key, Limits::default(), &mut browser);
    // What is missing may be the reason for any failure.
    match (browser.missing(), result) {
        (Some(missing), _) => missing,
        (None, Ok(bytes)) => Answer::Rendered(bytes),
        (None, Err(error)) => Answer::failed(text, &error, &browser.answers()),
    }
}
