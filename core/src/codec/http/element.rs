//! XML as a tree of elements with text: all that the documents of this protocol need.

use quick_xml::Reader;
use quick_xml::escape::{partial_escape, resolve_predefined_entity};
use quick_xml::events::Event;

/// Documents are three elements deep; deeper ones come from nobody who means well.
const MAX_DEPTH: usize = 16;
/// The namespace that documents carry. Readers ignore it, as clients write it in three ways.
const NAMESPACE: &str = "http://mq.aliyuncs.com/doc/v1/";

/// A document that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the XML document cannot be read: {0}")]
pub struct XmlError(pub(super) String);

impl XmlError {
    fn new(why: impl ToString) -> Self {
        Self(why.to_string())
    }
}

/// An element: its local name, its own text and what is inside it. Attributes are not kept.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Element {
    /// Name without prefix.
    pub name: String,
    /// Text and CDATA, joined.
    pub text: String,
    /// Elements inside, in their order.
    pub children: Vec<Element>,
}

impl Element {
    /// An element without content.
    pub fn new(name: &str) -> Self {
        Self { name: name.to_owned(), ..Self::default() }
    }

    /// Adds an element.
    pub fn child(mut self, child: Element) -> Self {
        self.children.push(child);
        self
    }

    /// Adds an element with text.
    pub fn with(self, name: &str, text: impl ToString) -> Self {
        self.child(Element { name: name.to_owned(), text: text.to_string(), children: Vec::new() })
    }

    /// Adds an element with text, if there is some.
    pub fn with_some(self, name: &str, text: Option<&str>) -> Self {
        match text.filter(|text| !text.is_empty()) {
            Some(text) => self.with(name, text),
            None => self,
        }
    }

    /// The text of the first element of that name.
    pub fn text_of(&self, name: &str) -> Option<&str> {
        self.children.iter().find(|child| child.name == name).map(|child| child.text.as_str())
    }

    /// The same, taken out.
    pub(super) fn take(&mut self, name: &str) -> Option<String> {
        let child = self.children.iter_mut().find(|child| child.name == name)?;
        Some(std::mem::take(&mut child.text))
    }

    /// The same, which has to be there.
    pub(super) fn need(&mut self, name: &str) -> Result<String, XmlError> {
        self.take(name).ok_or_else(|| XmlError(format!("<{}> has no <{name}>", self.name)))
    }

    /// The document with this root. Line ends stay as they are: carriage returns travel as references.
    pub fn encode(&self) -> Vec<u8> {
        let mut text = String::from("<?xml version=\"1.0\" encoding=\"utf-8\"?>\n");
        self.write(&mut text, Some(NAMESPACE));
        text.into_bytes()
    }

    fn write(&self, to: &mut String, namespace: Option<&str>) {
        to.extend(["<", &self.name]);
        if let Some(namespace) = namespace {
            to.extend([" xmlns=\"", namespace, "\""]);
        }
        to.push('>');
        for part in partial_escape(self.text.as_str()).split_inclusive('\r') {
            match part.strip_suffix('\r') {
                Some(line) => to.extend([line, "&#13;"]),
                None => to.push_str(part),
            }
        }
        self.children.iter().for_each(|child| child.write(to, None));
        to.extend(["</", &self.name, ">"]);
    }

    /// Reads a document: with or without prolog and namespace, text escaped or as CDATA. White space around elements
    /// that hold others is dropped.
    ///
    /// # Errors
    /// [`XmlError`] with the reason.
    pub fn decode(document: &[u8]) -> Result<Self, XmlError> {
        let text = std::str::from_utf8(document).map_err(XmlError::new)?;
        let mut reader = Reader::from_str(text.strip_prefix('\u{feff}').unwrap_or(text));
        let mut open: Vec<Element> = Vec::new();
        let mut root = None;
        loop {
            match reader.read_event().map_err(XmlError::new)? {
                Event::Start(start) => {
                    if open.len() >= MAX_DEPTH || root.is_some() {
                        return Err(XmlError::new("it is nested too deeply, or has several roots"));
                    }
                    open.push(Element::new(start.local_name().as_ref()));
                }
                Event::Empty(start) => {
                    close(Element::new(start.local_name().as_ref()), &mut open, &mut root)?
                }
                Event::End(_) => {
                    let element =
                        open.pop().ok_or_else(|| XmlError::new("an element ends before it begins"))?;
                    close(element, &mut open, &mut root)?;
                }
                Event::Text(text) => add(&mut open, &text.xml10_content())?,
                Event::CData(text) => add(&mut open, &text.xml10_content())?,
                Event::GeneralRef(reference) => match reference.resolve_char_ref().map_err(XmlError::new)? {
                    Some(character) => add(&mut open, character.encode_utf8(&mut [0; 4]))?,
                    None => {
                        let name = reference.xml10_content();
                        let text = resolve_predefined_entity(&name)
                            .ok_or_else(|| XmlError(format!("the entity {name:?} is not known")))?;
                        add(&mut open, text)?;
                    }
                },
                // No document of the protocol has one, and entities of its own could be a bomb.
                Event::DocType(_) => return Err(XmlError::new("it has a document type")),
                Event::Decl(_) | Event::PI(_) | Event::Comment(_) => {}
                Event::Eof => break,
            }
        }
        root.filter(|_| open.is_empty()).ok_or_else(|| XmlError::new("it is not complete"))
    }
}

fn add(open: &mut [Element], text: &str) -> Result<(), XmlError> {
    match open.last_mut() {
        Some(element) => element.text.push_str(text),
        None if text.trim().is_empty() => {}
        None => return Err(XmlError::new("there is text outside the root element")),
    }
    Ok(())
}

fn close(mut element: Element, open: &mut [Element], root: &mut Option<Element>) -> Result<(), XmlError> {
    if !element.children.is_empty() {
        element.text = element.text.trim().to_owned();
    }
    match (open.last_mut(), &root) {
        (Some(parent), _) => parent.children.push(element),
        (None, None) => *root = Some(element),
        (None, Some(_)) => return Err(XmlError::new("it has several roots")),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(document: &str) -> Result<Option<String>, XmlError> {
        Element::decode(document.as_bytes()).map(|root| root.text_of("B").map(str::to_owned))
    }

    #[test]
    fn documents_come_back_as_they_were_written() {
        for hard in
            ["", " a ", "<&>\"'", "]]>", "a\r\nb\rc\n", "\t", "ünï 中 \u{10ffff}", "&amp;&#13;", "a  b"]
        {
            let root = Element::new("A").with("B", hard).with("C", "x");
            let document = root.encode();
            let read = Element::decode(&document);
            let written = String::from_utf8_lossy(&document);
            assert_eq!(read.as_ref(), Ok(&root), "{written}");
            assert!(
                !written.contains("]]>"),
                "outside of CDATA it makes strict readers refuse all: {written}"
            );
        }
    }

    #[test]
    fn every_way_of_writing_is_read() {
        for (document, read) in [
            ("<A><B>x &lt;&amp;&#65;&#x42;&quot; y</B></A>", "x <&AB\" y"),
            (
                "<?xml version='1.0'?>\n<A xmlns='http://mq.aliyuncs.com/doc/v1'>\n <B><![CDATA[<b>&amp;]]></B>\n</A>\n",
                "<b>&amp;",
            ),
            ("\u{feff}<m:A xmlns:m='u'><m:B>p<!-- c -->q<![CDATA[r]]></m:B></m:A>", "pqr"),
            ("<A><B>a\r\nb\rc</B></A>", "a\nb\nc"),
            ("<A><B/></A>", ""),
        ] {
            assert_eq!(text(document), Ok(Some(read.to_owned())), "{document}");
        }
    }

    #[test]
    fn what_is_no_document_is_refused() {
        let deep = "<a>".repeat(1000);
        for bad in [
            "",
            "plain",
            "<A>",
            "<A><B></A></B>",
            "<A/><B/>",
            "<A>&unknown;</A>",
            "<A>&#0;</A>",
            "<A></A>x",
            "</A>",
            "<!DOCTYPE a [<!ENTITY b 'c'>]><A>&b;</A>",
            "<html><body><p>502<br></body></html>",
            &deep,
        ] {
            assert!(text(bad).is_err(), "{bad:.40}");
        }
        assert!(Element::decode(b"<A>\xff</A>").is_err());
    }
}
