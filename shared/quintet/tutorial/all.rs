include!("contract.rs");
include!("rows.rs");
include!("printer.rs");
include!("press.rs");
include!("service.rs");
