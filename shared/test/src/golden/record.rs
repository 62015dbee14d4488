//! A record as a text file.

use bus::Incoming;
use event::{
    Contract, DecodeError, Decoded, Encoded, EventType as _, Headers, Schema, TypeOf, decode,
};
use serde_json::Value;

/// A record of the broker. Its file has a line `name: value` for the key and for each header, an empty line, and then the
/// bytes of the value. Lines that begin with `#` are remarks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// The texts of the remarks.
    pub remarks: Vec<String>,
    /// The key.
    pub key: Vec<u8>,
    /// The headers.
    pub headers: Vec<(String, Vec<u8>)>,
    /// The value.
    pub value: Vec<u8>,
}

impl Record {
    /// The `ce_id` of [`Record::new`].
    pub const EVENT_ID: &str = "018f3a5c-1b2d-8a10-9c00-a1b2c3d4e5f6";
    /// The `traceparent` of [`Record::new`].
    pub const TRACEPARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    /// A record of this version of an event, with this data. The data may be wrong; everything else is right. Tests of a
    /// contract make one part of it wrong at a time.
    #[must_use]
    pub fn new<C: Contract>(schema: &Schema<TypeOf<C>>, key: &str, data: &Value) -> Self {
        let event_type = schema.event_type;
        let headers = [
            ("ce_specversion", "1.0"),
            ("ce_id", Self::EVENT_ID),
            ("ce_type", event_type.as_str()),
            ("ce_source", &format!("/{}/{}", C::NAMESPACE, event_type.publisher())),
            ("ce_time", "2024-05-01T10:00:00.123456Z"),
            ("ce_subject", key),
            ("ce_dataschema", schema.id),
            ("content-type", "application/json"),
            ("traceparent", Self::TRACEPARENT),
            ("tracestate", "vendor=a"),
        ];
        Self {
            remarks: Vec::new(),
            key: key.into(),
            headers: headers.map(|(name, text)| (name.into(), text.into())).into(),
            value: data.to_string().into(),
        }
    }

    /// The same record, without this header.
    #[must_use]
    pub fn without(mut self, header: &str) -> Self {
        self.headers.retain(|(name, _)| name != header);
        self
    }

    /// The same record, with this text in this header.
    #[must_use]
    pub fn with(self, header: &str, text: impl Into<Vec<u8>>) -> Self {
        let mut record = self.without(header);
        record.headers.push((header.to_owned(), text.into()));
        record
    }

    /// Parses a file. The line break at its end is not part of the value.
    ///
    /// # Panics
    /// If the lines before the value have another form.
    #[must_use]
    pub fn parse(file: &[u8]) -> Self {
        let end = file.windows(2).position(|two| two == b"\n\n").expect("an empty line");
        let (head, value) = (&file[..end], &file[end + 2..]);
        let value = value.strip_suffix(b"\n").unwrap_or(value).to_vec();
        let mut record = Self { remarks: Vec::new(), key: Vec::new(), headers: Vec::new(), value };
        for line in head.split(|byte| *byte == b'\n') {
            if let Some(remark) = line.strip_prefix(b"#") {
                record.remarks.push(String::from_utf8_lossy(remark).trim().to_owned());
                continue;
            }
            let colon = line.windows(2).position(|two| two == b": ").expect("`name: value`");
            let name = String::from_utf8(line[..colon].to_vec()).expect("a header's name");
            let text = line[colon + 2..].to_vec();
            if name == "key" {
                record.key = text;
            } else {
                record.headers.push((name, text));
            }
        }
        record
    }

    /// Decodes the record as every consumer does.
    ///
    /// # Errors
    /// Why it is no event.
    pub fn decode<C: Contract>(&self) -> Result<Decoded<C>, DecodeError> {
        decode(&self.key, &self.wire_headers(), &self.value)
    }

    /// The record as the bus delivers it.
    #[must_use]
    pub fn incoming(&self, topic: &str, offset: i64) -> Incoming {
        let (headers, Self { key, value, .. }) = (self.wire_headers(), self.clone());
        Incoming { topic: topic.to_owned(), partition: 0, offset, key, headers, value }
    }

    fn wire_headers(&self) -> Headers {
        self.headers.iter().map(|(name, text)| (name, text)).collect()
    }

    /// The text of a header; `None` if there is no such header, or it is no UTF-8.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(header, _)| header == name)?;
        str::from_utf8(&found.1).ok()
    }
}

impl From<Encoded> for Record {
    fn from(encoded: Encoded) -> Self {
        let headers = encoded.headers.iter();
        Self {
            remarks: Vec::new(),
            key: encoded.key.into(),
            headers: headers.map(|(name, text)| (name.into(), text.into())).collect(),
            value: encoded.value.get().into(),
        }
    }
}
