use std::error::Error;

use tokio_postgres::types::{IsNull, ToSql, Type, private::BytesMut, to_sql_checked};

use crate::{Kind, Value};

/// The values that are bound to a statement, in the order of their numbers.
#[derive(Debug, Default)]
pub(crate) struct Parameters(Vec<Box<dyn ToSql + Send + Sync>>);

impl Parameters {
    pub(crate) fn borrowed(&self) -> Vec<&(dyn ToSql + Sync)> {
        self.0.iter().map(|value| &**value as &(dyn ToSql + Sync)).collect()
    }

    pub(crate) fn and(self, values: Vec<Value>) -> Self {
        self.chain(parameters(values).0)
    }

    pub(crate) fn chain(
        mut self,
        values: impl IntoIterator<Item = Box<dyn ToSql + Send + Sync>>,
    ) -> Self {
        self.0.extend(values);
        self
    }
}

impl FromIterator<Box<dyn ToSql + Send + Sync>> for Parameters {
    fn from_iter<I: IntoIterator<Item = Box<dyn ToSql + Send + Sync>>>(values: I) -> Self {
        Self(values.into_iter().collect())
    }
}

pub(crate) fn parameters(values: Vec<Value>) -> Parameters {
    let parameter = |value| Box::new(Parameter(value)) as Box<dyn ToSql + Send + Sync>;
    values.into_iter().map(parameter).collect()
}

/// A typed array of values of one kind. A value of another kind would become null, but none occurs: column and
/// value have their kinds from the same [`Field`](crate::Field).
pub(crate) fn array(kind: Kind, values: Vec<Value>) -> Box<dyn ToSql + Send + Sync> {
    macro_rules! array {
        ($variant:ident) => {{
            let native =
                |value| if let Value::$variant(value) = value { Some(value) } else { None };
            Box::new(values.into_iter().map(native).collect::<Vec<_>>())
        }};
    }
    match kind {
        Kind::Uuid => array!(Uuid),
        Kind::Int => array!(Int),
        Kind::Bool => array!(Bool),
        Kind::Text => array!(Text),
        Kind::Bytes => array!(Bytes),
    }
}

/// A value as tokio-postgres sends it.
#[derive(Debug)]
struct Parameter(Value);

impl ToSql for Parameter {
    fn to_sql(
        &self,
        kind: &Type,
        out: &mut BytesMut,
    ) -> Result<IsNull, Box<dyn Error + Sync + Send>> {
        match &self.0 {
            Value::Uuid(value) => value.to_sql(kind, out),
            Value::Int(value) if *kind == Type::INT4 => i32::try_from(*value)?.to_sql(kind, out),
            Value::Int(value) => value.to_sql(kind, out),
            Value::Bool(value) => value.to_sql(kind, out),
            Value::Text(value) => value.to_sql(kind, out),
            Value::Bytes(value) => value.to_sql(kind, out),
            Value::Null(_) => Ok(IsNull::Yes),
        }
    }

    fn accepts(_: &Type) -> bool {
        // `to_sql` refuses a value that does not fit.
        true
    }

    to_sql_checked!();
}
