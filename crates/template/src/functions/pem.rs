//! The result of `pkiCert`: the PEM blocks that a PKI mount issued.

use base64::Engine as _;
use zeroize::Zeroizing;

use super::arg::{Answer, fail};
use super::encoding::STANDARD;
use super::text::find;
use crate::buffer::Buffer;
use crate::function::Function;
use crate::value::{Record, Shape, Type, Value};
use leasehold_base::secret::Secret;
use leasehold_base::tree::Tree;

static SHAPE: Shape = Shape {
    name: "dependency.PemEncoded",
    pointer: false,
    fields: &["Cert", "Key", "CA", "CAChain"],
    methods: METHODS,
};

/// The method `.Data` returns the certificate itself, so that a template for `secret` works with `pkiCert`.
static METHODS: &[Function] =
    &[Function::new("Data", &[], |_, args| Ok(args.first().cloned().unwrap_or_default()))
        .returns(Type::Struct("dependency.PemEncoded"))];

/// The bytes of base64 on one line of PEM.
const LINE: usize = 64;

/// One block of PEM: its label and the text between the lines.
struct Block<'a> {
    label: &'a [u8],
    body: &'a [u8],
}

/// Returns the certificate, its key and its authorities from an answer to `issue` or `sign`.
///
/// The CA is the one that issued the certificate. The agents read only the texts of the answer, so the list
/// `ca_chain` does not count. Without an `issuing_ca`, the CA is the last certificate of a bundle.
/// `.CAChain`, which only Vault's agent has, is all of them in order.
pub(super) fn certificate_of(data: &Tree) -> Answer {
    let (mut cert, mut key, mut chain) = (None, None, Vec::new());
    for block in fields(data).into_iter().flat_map(|text| blocks(text.expose())) {
        let Some(pem) = encode(&block) else {
            return fail("pkiCert: the answer holds a PEM block that cannot be read");
        };
        if block.label.ends_with(b"PRIVATE KEY") {
            key = Some(pem);
        } else if cert.is_none() {
            cert = Some(pem);
        } else if !chain.contains(&pem) && cert.as_ref() != Some(&pem) {
            chain.push(pem);
        }
    }
    if cert.is_none() {
        return fail("pkiCert: the answer holds no certificate");
    }
    let text = |pem: Option<Secret>| Value::Text(pem.unwrap_or_default());
    let issuer = if data.get("issuing_ca").is_some() { chain.first() } else { chain.last() };
    let authority = text(issuer.cloned());
    let chain = if chain.is_empty() { Value::NilOf(Type::STRINGS) } else { Value::texts(chain) };
    Ok(Record::value(&SHAPE, vec![text(cert), text(key), authority, chain]))
}

/// A block of PEM, as Go writes it, and its content.
pub struct Pem {
    /// The block as text.
    pub text: Secret,
    /// The content, decoded.
    pub der: Zeroizing<Vec<u8>>,
    private: bool,
}

impl Pem {
    /// Returns whether the block is a private key.
    pub fn is_private_key(&self) -> bool {
        self.private
    }
}

/// Returns the valid blocks in a text.
pub fn all(text: &[u8]) -> Vec<Pem> {
    let read = |block: Block<'_>| {
        let private = block.label.ends_with(b"PRIVATE KEY");
        Some(Pem { text: encode(&block)?, der: decode(&block)?, private })
    };
    blocks(text).into_iter().filter_map(read).collect()
}

/// Returns the texts of the answer that hold PEM, the certificate first.
fn fields(data: &Tree) -> Vec<&Secret> {
    let mut texts: Vec<&Secret> = ["certificate", "private_key", "issuing_ca"]
        .iter()
        .filter_map(|name| data.get(name).and_then(Tree::as_text))
        .collect();
    if let Some(chain) = data.get("ca_chain").and_then(Tree::as_list) {
        texts.extend(chain.iter().filter_map(Tree::as_text));
    }
    texts
}

/// Returns the blocks of a PEM text in their order. Text between them is skipped.
fn blocks(mut text: &[u8]) -> Vec<Block<'_>> {
    let mut blocks = Vec::new();
    while let Some(block) = next_block(&mut text) {
        blocks.push(block);
    }
    blocks
}

fn next_block<'a>(text: &mut &'a [u8]) -> Option<Block<'a>> {
    let begin = &text[find(text, b"-----BEGIN ")? + 11..];
    let label = &begin[..find(begin, b"-----")?];
    let inside = &begin[label.len() + 5..];
    let end = find(inside, b"-----END ")?;
    *text = &inside[end + 9..];
    Some(Block { label, body: &inside[..end] })
}

fn decode(block: &Block<'_>) -> Option<Zeroizing<Vec<u8>>> {
    let mut digits = Zeroizing::new(Vec::with_capacity(block.body.len()));
    digits.extend(block.body.iter().filter(|byte| !byte.is_ascii_whitespace()));
    STANDARD.decode(&*digits).ok().map(Zeroizing::new)
}

/// Returns a block as Go writes it: in lines of 64 bytes, with a newline at the end.
fn encode(block: &Block<'_>) -> Option<Secret> {
    let bytes = decode(block)?;
    let encoded = Zeroizing::new(STANDARD.encode(&*bytes));
    let mut out = Buffer::new(usize::MAX);
    let mut line = |parts: &[&[u8]]| {
        for part in parts {
            out.push(part);
        }
        out.push(b"\n");
    };
    line(&[b"-----BEGIN ", block.label, b"-----"]);
    for digits in encoded.as_bytes().chunks(LINE) {
        line(&[digits]);
    }
    line(&[b"-----END ", block.label, b"-----"]);
    Some(out.into_secret())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pem(label: &str, body: &str) -> String {
        format!("-----BEGIN {label}-----\n{body}\n-----END {label}-----")
    }

    fn field(value: &Value, index: usize) -> Option<String> {
        let Value::Object(object) = value else { panic!("a struct") };
        match object.field(index) {
            Value::Text(text) => text.expose_str().map(str::to_owned),
            _ => None,
        }
    }

    #[test]
    fn the_authority_is_the_issuer_whatever_the_chain_goes_on_with() {
        let chain = [pem("CERTIFICATE", "aW50"), pem("CERTIFICATE", "cm9vdA==")];
        let data = Tree::map([
            ("certificate", Tree::text(pem("CERTIFICATE", "bGVhZg=="))),
            ("private_key", Tree::text(pem("EC PRIVATE KEY", "a2V5"))),
            ("issuing_ca", Tree::text(chain[0].clone())),
            ("ca_chain", Tree::list(chain.map(Tree::text))),
        ]);
        let value = certificate_of(&data).expect("a certificate");
        assert_eq!(
            field(&value, 0).as_deref(),
            Some("-----BEGIN CERTIFICATE-----\nbGVhZg==\n-----END CERTIFICATE-----\n")
        );
        assert_eq!(
            field(&value, 1).as_deref(),
            Some("-----BEGIN EC PRIVATE KEY-----\na2V5\n-----END EC PRIVATE KEY-----\n")
        );
        assert_eq!(
            field(&value, 2).as_deref(),
            Some("-----BEGIN CERTIFICATE-----\naW50\n-----END CERTIFICATE-----\n")
        );
    }

    #[test]
    fn a_bundle_in_one_text_is_taken_apart() {
        let bundle = [pem("PRIVATE KEY", "a2V5"), pem("CERTIFICATE", "bGVhZg=="), pem("CERTIFICATE", "Y2E=")];
        let data = Tree::map([("certificate", Tree::text(bundle.join("\n")))]);
        let value = certificate_of(&data).expect("a certificate");
        assert!(field(&value, 0).expect("a text").contains("bGVhZg=="));
        assert!(field(&value, 1).expect("a text").contains("a2V5"));
        assert!(field(&value, 2).expect("a text").contains("Y2E="));
    }

    #[test]
    fn an_answer_without_a_certificate_is_an_error() {
        assert!(certificate_of(&Tree::map([("certificate", Tree::text("x"))])).is_err());
        assert!(certificate_of(&Tree::map([("certificate", Tree::text(pem("CERTIFICATE", "!!")))])).is_err());
    }
}
