//! The headers of a record.

use std::borrow::Cow;
use std::fmt::{self, Display};
use std::io::Write;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The headers of a record: names and values, in order, in one buffer. A record has ten headers and is copied
/// several times on its way. As strings they would be twenty allocations each time.
///
/// In the buffer a header is the length of its name and the length of its value (32 bits each, little-endian),
/// its name, and its value.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Headers(Vec<u8>);

/// The bytes are not the buffer of headers.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no header begins at byte {at}: it is cut off, or its name is not UTF-8")]
pub struct InvalidHeaders {
    /// The end of the last valid header.
    pub at: usize,
}

/// The size of each of the two lengths.
const LENGTH_BYTES: usize = size_of::<u32>();

impl Headers {
    /// No headers.
    #[must_use]
    pub const fn new() -> Self {
        Self(Vec::new())
    }

    /// No headers, with room for this many bytes of [`Self::as_bytes`].
    #[must_use]
    pub fn with_capacity(bytes: usize) -> Self {
        Self(Vec::with_capacity(bytes))
    }

    /// Adds a header at the end, also if there is one of this name.
    ///
    /// # Panics
    /// If the name or the value takes 4 GiB or more.
    pub fn push(&mut self, name: &str, value: impl AsRef<[u8]>) {
        let value = value.as_ref();
        self.0.reserve(2 * LENGTH_BYTES + name.len() + value.len());
        self.0.extend_from_slice(&length(name.len()));
        self.0.extend_from_slice(&length(value.len()));
        self.0.extend_from_slice(name.as_bytes());
        self.0.extend_from_slice(value);
    }

    /// As [`Self::push`], but writes the value directly into the buffer.
    ///
    /// # Panics
    /// As [`Self::push`], and if the value cannot be displayed.
    pub fn push_display(&mut self, name: &str, value: impl Display) {
        self.push(name, "");
        let (begin, name_bytes) = (self.0.len(), name.len());
        // Writing into a vector cannot fail.
        let _ = write!(self.0, "{value}");
        let value_bytes = length(self.0.len() - begin);
        let at = begin - name_bytes - LENGTH_BYTES;
        self.0[at..at + LENGTH_BYTES].copy_from_slice(&value_bytes);
    }

    /// The value of the first header of this name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&[u8]> {
        // Compared as bytes: that names are UTF-8 was checked when they were added.
        let found = self.raw().find(|(header, _)| *header == name.as_bytes())?;
        Some(found.1)
    }

    /// As [`Self::get`], if the value is text.
    #[must_use]
    pub fn text(&self, name: &str) -> Option<&str> {
        str::from_utf8(self.get(name)?).ok()
    }

    /// Names and values, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &[u8])> {
        self.raw().map_while(|(name, value)| Some((str::from_utf8(name).ok()?, value)))
    }

    /// Whether there are no headers.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The size of all names and values, which counts towards the limit of a record.
    #[must_use]
    pub fn payload_bytes(&self) -> usize {
        self.raw().map(|(name, value)| name.len() + value.len()).sum()
    }

    /// The buffer, to be stored and read by [`Self::from_bytes`].
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The headers whose [`Self::as_bytes`] were stored. The bytes are checked, because the storage may have
    /// damaged them.
    ///
    /// # Errors
    /// [`InvalidHeaders`] if the bytes are not those of headers.
    pub fn from_bytes(bytes: Vec<u8>) -> Result<Self, InvalidHeaders> {
        let mut rest = bytes.as_slice();
        while !rest.is_empty() {
            let at = bytes.len() - rest.len();
            let (name, _, after) = first(rest).ok_or(InvalidHeaders { at })?;
            str::from_utf8(name).map_err(|_| InvalidHeaders { at })?;
            rest = after;
        }
        Ok(Self(bytes))
    }

    fn raw(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        let mut rest = self.0.as_slice();
        std::iter::from_fn(move || {
            let (name, value, after) = first(rest)?;
            rest = after;
            Some((name, value))
        })
    }
}

/// The name and value of the first header, and the bytes after it.
fn first(bytes: &[u8]) -> Option<(&[u8], &[u8], &[u8])> {
    let (name_bytes, rest) = bytes.split_first_chunk()?;
    let (value_bytes, rest) = rest.split_first_chunk()?;
    let bytes = |length: &[u8; LENGTH_BYTES]| usize::try_from(u32::from_le_bytes(*length)).ok();
    let (name, rest) = rest.split_at_checked(bytes(name_bytes)?)?;
    let (value, rest) = rest.split_at_checked(bytes(value_bytes)?)?;
    Some((name, value, rest))
}

fn length(bytes: usize) -> [u8; LENGTH_BYTES] {
    u32::try_from(bytes).expect("a header is shorter than 4 GiB").to_le_bytes()
}

impl<N: AsRef<str>, V: AsRef<[u8]>> Extend<(N, V)> for Headers {
    fn extend<I: IntoIterator<Item = (N, V)>>(&mut self, headers: I) {
        for (name, value) in headers {
            self.push(name.as_ref(), value);
        }
    }
}

impl<N: AsRef<str>, V: AsRef<[u8]>> FromIterator<(N, V)> for Headers {
    fn from_iter<I: IntoIterator<Item = (N, V)>>(headers: I) -> Self {
        let mut all = Self::new();
        all.extend(headers);
        all
    }
}

/// In JSON, headers are a list of pairs of name and value. A value is a string if it is UTF-8, and otherwise a
/// list of its bytes.
impl Serialize for Headers {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let readable = |value| match str::from_utf8(value) {
            Ok(text) => Readable::Text(text.into()),
            Err(_) => Readable::Bytes(value.into()),
        };
        serializer.collect_seq(self.iter().map(|(name, value)| (name, readable(value))))
    }
}

impl<'de> Deserialize<'de> for Headers {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let pairs = Vec::<(Cow<'_, str>, Readable<'_>)>::deserialize(deserializer)?;
        let bytes = |value| match value {
            Readable::Text(text) => text.into_owned().into_bytes(),
            Readable::Bytes(bytes) => bytes.into_owned(),
        };
        Ok(pairs.into_iter().map(|(name, value)| (name, bytes(value))).collect())
    }
}

#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum Readable<'a> {
    Text(Cow<'a, str>),
    Bytes(Cow<'a, [u8]>),
}

impl fmt::Debug for Headers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = |(name, value)| (name, String::from_utf8_lossy(value));
        f.debug_list().entries(self.iter().map(text)).finish()
    }
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    type Pairs = Vec<(String, Vec<u8>)>;

    fn pairs() -> impl Strategy<Value = Pairs> {
        vec((".*", any::<Vec<u8>>()), 0..6)
    }

    fn read(headers: &Headers) -> Pairs {
        headers.iter().map(|(name, value)| (name.to_owned(), value.to_vec())).collect()
    }

    proptest! {
        #[test]
        fn pushed_headers_are_read_back(pairs in pairs()) {
            let headers: Headers = pairs.iter().map(|(name, value)| (name, value)).collect();
            prop_assert_eq!(&read(&headers), &pairs);
            prop_assert_eq!(headers.is_empty(), pairs.is_empty());
            let payload: usize = pairs.iter().map(|(name, value)| name.len() + value.len()).sum();
            prop_assert_eq!(headers.payload_bytes(), payload);
            prop_assert_eq!(headers.as_bytes().len(), payload + 8 * pairs.len());
            for (name, _) in &pairs {
                let first = pairs.iter().find(|(header, _)| header == name).unwrap();
                prop_assert_eq!(headers.get(name), Some(first.1.as_slice()));
            }
            let json = serde_json::to_string(&headers).unwrap();
            prop_assert_eq!(&serde_json::from_str::<Headers>(&json).unwrap(), &headers);
            prop_assert_eq!(Headers::from_bytes(headers.as_bytes().to_vec()), Ok(headers));
        }

        #[test]
        fn a_buffer_that_is_cut_off_is_refused(
            pairs in pairs(), at in any::<prop::sample::Index>(),
        ) {
            let mut headers = Headers::new();
            let mut whole = vec![0];
            for (name, value) in &pairs {
                headers.push(name, value);
                whole.push(headers.as_bytes().len());
            }
            let at = at.index(headers.as_bytes().len() + 1);
            let cut = Headers::from_bytes(headers.as_bytes()[..at].to_vec());
            match whole.binary_search(&at) {
                Ok(count) => prop_assert_eq!(read(&cut.unwrap()), &pairs[..count]),
                Err(next) => prop_assert_eq!(cut, Err(InvalidHeaders { at: whole[next - 1] })),
            }
        }

        #[test]
        fn any_bytes_are_read_completely_or_refused(
            lengths in [0_u32..12, 0_u32..12], rest in any::<Vec<u8>>(),
        ) {
            let bytes = [lengths[0].to_le_bytes().into(), lengths[1].to_le_bytes().into(), rest];
            for bytes in [bytes.concat(), bytes[2].clone()] {
                if let Ok(headers) = Headers::from_bytes(bytes.clone()) {
                    prop_assert_eq!(headers.as_bytes(), bytes);
                    prop_assert_eq!(Headers::from_iter(read(&headers)), headers);
                }
            }
        }

        #[test]
        fn a_displayed_value_equals_its_pushed_text(
            before in pairs(), name in ".*", number in any::<f64>(),
        ) {
            let mut displayed: Headers = before.into_iter().collect();
            let mut pushed = displayed.clone();
            displayed.push_display(&name, number);
            pushed.push(&name, number.to_string());
            prop_assert_eq!(displayed, pushed);
        }
    }

    #[test]
    fn garbage_is_refused() {
        let header = |name: &[u8]| [&[1, 0, 0, 0, 0, 0, 0, 0], name].concat();
        assert!(Headers::from_bytes(header(b"a")).is_ok());
        for garbage in [header(b"\xff"), header(b""), vec![0xff; 8], vec![0xff; 80], vec![0; 7]] {
            assert_eq!(Headers::from_bytes(garbage), Err(InvalidHeaders { at: 0 }));
        }
        let second = [header(b"a"), header(b"\xff")].concat();
        assert_eq!(Headers::from_bytes(second), Err(InvalidHeaders { at: 9 }));
    }

    #[test]
    fn headers_are_shown_as_text() {
        let headers: Headers = [("a", b"1".as_slice()), ("b", b"\xff")].into_iter().collect();
        assert_eq!(format!("{headers:?}"), "[(\"a\", \"1\"), (\"b\", \"\u{fffd}\")]");
        assert_eq!(serde_json::json!(headers), serde_json::json!([["a", "1"], ["b", [255]]]));
        assert_eq!(headers.get("c"), None);
    }
}
