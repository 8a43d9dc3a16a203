//! XML as this API uses it: elements and text, no DTD, no entities but the five, in and out (CP-020, CP-026, CP-028).

use quick_xml::{
    Reader, XmlVersion, escape::resolve_predefined_entity, events::BytesStart, events::Event,
};

/// Deepest nesting of elements (CP-028).
const MAX_DEPTH: usize = 64;
/// Most elements in a document (CP-028).
const MAX_ELEMENTS: usize = 20_000;

/// An element: what stands in it, without prefixes and attributes.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Element {
    /// Local name.
    pub(crate) name: String,
    /// All text directly in the element.
    pub(crate) text: String,
    /// Elements in it, in their order.
    pub(crate) children: Vec<Self>,
}

/// A document.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Document {
    /// The one element that all others are in.
    pub(crate) root: Element,
    /// The default namespace that the root declares.
    pub(crate) namespace: Option<String>,
}

/// Why a body is no document.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum XmlError {
    #[error("the body is not UTF-8")]
    Encoding,
    #[error("the body is not well-formed XML: {0}")]
    Syntax(String),
    #[error("document type declarations are not accepted")]
    Doctype,
    #[error("entity &{0}; is not one of the five that XML knows")]
    Entity(String),
    #[error("elements are nested more than {MAX_DEPTH} deep")]
    Depth,
    #[error("the document has more than {MAX_ELEMENTS} elements")]
    Elements,
}

fn syntax(error: impl std::fmt::Display) -> XmlError {
    XmlError::Syntax(error.to_string())
}

/// Reads a document (CP-028). Comments and processing instructions are passed over; so are attributes, but for the
/// root's namespace.
pub(crate) fn parse(body: &[u8]) -> Result<Document, XmlError> {
    let text = std::str::from_utf8(body).map_err(|_| XmlError::Encoding)?;
    let mut reader = Reader::from_str(text.trim_start_matches('\u{feff}'));
    let mut open: Vec<Element> = Vec::new();
    let mut root = None;
    let mut namespace = None;
    let mut elements = 0_usize;
    loop {
        match reader.read_event().map_err(syntax)? {
            Event::Start(start) => {
                let element = begin(&start, &mut elements, open.len())?;
                if open.is_empty() {
                    if root.is_some() {
                        return Err(syntax("more than one root element"));
                    }
                    namespace = default_namespace(&start)?;
                }
                open.push(element);
            }
            Event::Empty(start) => {
                let element = begin(&start, &mut elements, open.len())?;
                if let Some(parent) = open.last_mut() {
                    parent.children.push(element);
                } else if root.is_none() {
                    namespace = default_namespace(&start)?;
                    root = Some(element);
                } else {
                    return Err(syntax("more than one root element"));
                }
            }
            Event::End(_) => {
                let element = open.pop().ok_or_else(|| syntax("an end without a start"))?;
                match open.last_mut() {
                    Some(parent) => parent.children.push(element),
                    None => root = Some(element),
                }
            }
            Event::Text(text) => {
                let text = text
                    .xml_content(XmlVersion::Implicit1_0)
                    .map_err(|_| XmlError::Encoding)?;
                append(&mut open, &text)?;
            }
            Event::CData(text) => {
                let text = text
                    .xml_content(XmlVersion::Implicit1_0)
                    .map_err(|_| XmlError::Encoding)?;
                append(&mut open, &text)?;
            }
            Event::GeneralRef(reference) => {
                if let Some(character) = reference.resolve_char_ref().map_err(syntax)? {
                    if !is_char(character) {
                        return Err(syntax("a reference to a character that XML does not have"));
                    }
                    append(&mut open, character.encode_utf8(&mut [0; 4]))?;
                } else {
                    let name = reference.decode().map_err(|_| XmlError::Encoding)?;
                    let text = resolve_predefined_entity(&name)
                        .ok_or_else(|| XmlError::Entity(name.chars().take(64).collect()))?;
                    append(&mut open, text)?;
                }
            }
            Event::DocType(_) => return Err(XmlError::Doctype),
            Event::Decl(declaration) => {
                if let Some(encoding) = declaration.encoding() {
                    let encoding = encoding.map_err(syntax)?;
                    if !encoding.eq_ignore_ascii_case(b"utf-8") {
                        return Err(XmlError::Encoding);
                    }
                }
            }
            Event::Comment(_) | Event::PI(_) => {}
            Event::Eof => break,
        }
    }
    if !open.is_empty() {
        return Err(syntax("the document ends within an element"));
    }
    let root = root.ok_or_else(|| syntax("there is no element"))?;
    Ok(Document { root, namespace })
}

fn begin(start: &BytesStart<'_>, elements: &mut usize, depth: usize) -> Result<Element, XmlError> {
    *elements += 1;
    if *elements > MAX_ELEMENTS {
        return Err(XmlError::Elements);
    }
    if depth >= MAX_DEPTH {
        return Err(XmlError::Depth);
    }
    let name = start.local_name();
    let name = std::str::from_utf8(name.as_ref()).map_err(|_| XmlError::Encoding)?;
    // Names are written back as they came, so that one with a `<` in it would spoil the answer.
    if !is_name(name) {
        return Err(syntax("an element's name is none"));
    }
    Ok(Element {
        name: name.to_owned(),
        ..Element::default()
    })
}

fn default_namespace(start: &BytesStart<'_>) -> Result<Option<String>, XmlError> {
    for attribute in start.attributes() {
        let attribute = attribute.map_err(syntax)?;
        let key = attribute.key.as_ref();
        if key == b"xmlns" || (key.starts_with(b"xmlns:") && start.name().prefix().is_some()) {
            let value = std::str::from_utf8(&attribute.value).map_err(|_| XmlError::Encoding)?;
            return Ok(Some(value.to_owned()));
        }
    }
    Ok(None)
}

fn append(open: &mut [Element], text: &str) -> Result<(), XmlError> {
    match open.last_mut() {
        Some(element) => element.text.push_str(text),
        None if is_blank(text) => {}
        None => return Err(syntax("text outside of the root element")),
    }
    Ok(())
}

/// Whether a text is white space alone.
pub(crate) fn is_blank(text: &str) -> bool {
    text.bytes()
        .all(|byte| matches!(byte, b' ' | b'\t' | b'\r' | b'\n'))
}

/// Whether a text can be an element's name, without a prefix.
pub(crate) fn is_name(name: &str) -> bool {
    let mut characters = name.chars();
    let start = |character: char| character.is_alphabetic() || character == '_';
    characters.next().is_some_and(start)
        && characters.all(|character| {
            start(character) || character.is_numeric() || matches!(character, '-' | '.')
        })
}

/// Whether XML 1.0 has the character.
fn is_char(character: char) -> bool {
    matches!(character, '\t' | '\n' | '\r' | '\u{20}'..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..)
}

/// A document that is being written.
pub(crate) struct Writer {
    out: String,
}

impl Writer {
    /// Declaration and the start of the root element.
    pub(crate) fn begin(root: &str, namespace: &str) -> Self {
        let mut writer = Self {
            out: String::from("<?xml version=\"1.0\"?>\n"),
        };
        writer.out.push('<');
        writer.out.push_str(root);
        if !namespace.is_empty() {
            writer.out.push_str(" xmlns=\"");
            writer.escape(namespace);
            writer.out.push('"');
        }
        writer.out.push('>');
        writer
    }

    /// The end of the root element; gives the document.
    pub(crate) fn end(mut self, root: &str) -> String {
        self.close(root);
        self.out
    }

    /// Start of an element. `name` has to be one.
    pub(crate) fn open(&mut self, name: &str) {
        self.out.push('<');
        self.out.push_str(name);
        self.out.push('>');
    }

    /// End of an element.
    pub(crate) fn close(&mut self, name: &str) {
        self.out.push_str("</");
        self.out.push_str(name);
        self.out.push('>');
    }

    /// An element with text in it.
    pub(crate) fn leaf(&mut self, name: &str, text: &str) {
        self.open(name);
        self.escape(text);
        self.close(name);
    }

    fn escape(&mut self, text: &str) {
        for character in text.chars() {
            match character {
                '&' => self.out.push_str("&amp;"),
                '<' => self.out.push_str("&lt;"),
                '>' => self.out.push_str("&gt;"),
                '"' => self.out.push_str("&quot;"),
                // A reader would make a line feed of it.
                '\r' => self.out.push_str("&#13;"),
                // What XML cannot carry in any spelling; logs of functions may hold it.
                other if !is_char(other) => self.out.push('\u{fffd}'),
                other => self.out.push(other),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn text_of(body: &str) -> String {
        parse(body.as_bytes()).expect("a document").root.text
    }

    #[test]
    fn documents_in_the_forms_that_clients_send() {
        // CP-020: with a declaration and without, with a namespace and without, with a prefix.
        for body in [
            "<A><B>1</B></A>",
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<A xmlns=\"http://x/\"><B>1</B></A>\n",
            "\u{feff}<!-- c --><A xmlns=\"http://x/\" z='2'>\n  <B>1</B>\n</A>",
            "<n:A xmlns:n=\"http://x/\"><n:B>1</n:B></n:A>",
        ] {
            let document = parse(body.as_bytes()).expect("a document");
            assert_eq!(document.root.name, "A");
            assert_eq!(document.root.children[0].name, "B");
            assert_eq!(document.root.children[0].text, "1");
            let expected = body.contains("http").then(|| "http://x/".to_owned());
            assert_eq!(document.namespace, expected);
        }
    }

    #[test]
    fn empty_elements_are_alike() {
        // CP-021: three ways to write nothing.
        let short = parse(b"<A><B/></A>").expect("a document");
        assert_eq!(short, parse(b"<A><B></B></A>").expect("a document"));
        assert_eq!(parse(b"<A/>").expect("a document").root.name, "A");
    }

    #[test]
    fn text_is_unescaped() {
        // CP-028: the five entities and characters by number, and nothing else that has an ampersand.
        assert_eq!(
            text_of("<A>&lt;a&gt; &amp;&quot;&apos; &#65;&#x42;&#13;</A>"),
            "<a> &\"' AB\r"
        );
        assert_eq!(text_of("<A><![CDATA[<&>]]></A>"), "<&>");
        assert_eq!(text_of("<A>a\r\nb</A>"), "a\nb");
        let own = "<!DOCTYPE A [<!ENTITY x \"y\">]><A>&x;</A>";
        assert_eq!(parse(own.as_bytes()), Err(XmlError::Doctype));
        assert_eq!(parse(b"<A>&x;</A>"), Err(XmlError::Entity("x".into())));
    }

    #[test]
    fn documents_have_bounds() {
        // CP-028: nesting ends at 64, elements at 20,000, and both are allowed up to there.
        let nested = |depth: usize| format!("{}{}", "<A>".repeat(depth), "</A>".repeat(depth));
        assert!(parse(nested(64).as_bytes()).is_ok());
        assert_eq!(parse(nested(65).as_bytes()), Err(XmlError::Depth));
        let wide = |count: usize| format!("<R>{}</R>", "<A/>".repeat(count - 1));
        assert!(parse(wide(20_000).as_bytes()).is_ok());
        assert_eq!(parse(wide(20_001).as_bytes()), Err(XmlError::Elements));
    }

    #[test]
    fn broken_documents_are_refused() {
        // CP-028: what is no document is refused, with nothing taken from it.
        for body in [
            &b""[..],
            b"   ",
            b"text",
            b"<A>",
            b"<A><B></A></B>",
            b"<A></B>",
            b"</A>",
            b"<A/><B/>",
            b"<A></A><B></B>",
            b"<A></A>text",
            b"<A>&#0;</A>",
            b"<A>&#xD800;</A>",
            b"<A>a & b</A>",
            b"<A<B>></A<B>",
            b"<A",
            b"<!ENTITY x 'y'><A/>",
            b"<A>\xff</A>",
            b"\xff\xfe<\0A\0/\0>\0",
            b"<?xml version='1.0' encoding='latin1'?><A/>",
        ] {
            assert!(parse(body).is_err(), "{}", String::from_utf8_lossy(body));
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(body in proptest::collection::vec(any::<u8>(), 0..400)) {
            // CP-028: whatever comes, there is an answer.
            let _ = parse(&body);
        }

        // The same with bytes that look like XML.
        #[test]
        fn any_markup_is_read_or_refused(body in "(<|>|/|A|b|&|;|#|x|1|!|\\[|CDATA|\\]|-|\\?|\"|'|=| |xmlns|:){0,60}") {
            let _ = parse(body.as_bytes());
        }

        #[test]
        fn text_returns(text in any::<String>().prop_filter("characters of XML", |text| text.chars().all(is_char))) {
            // CP-026: text that was written reads the same.
            let mut writer = Writer::begin("R", "");
            writer.leaf("A", &text);
            let document = parse(writer.end("R").as_bytes()).expect("as written");
            prop_assert_eq!(&document.root.children[0].text, &text);
        }
    }
}
