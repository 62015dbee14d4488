use audit::{BookingStatus, ChargeStatus, End, Ledger, RefundStatus, Snapshot};
use contracts::{CancelReason, OrderId, Sku};
use scenarios::NewOrder;

/// More pieces than there are of any product.
const TOO_MANY: i64 = 1_000_000;

/// The course that an order takes, and with it the reactions that it reaches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Course {
    /// It completes.
    Completed,
    /// It completes, but its mails bounce.
    Bounced,
    /// It completes, and its product is listed and stocked for it alone.
    Listed,
    /// It orders more pieces than there are.
    OutOfStock,
    /// The card is declined.
    Declined,
    /// The carrier refuses the address.
    CarrierRefuses,
    /// The carrier refuses the address, and the gateway refuses the refund until an operator retries it.
    RefundRefused,
    /// The customer cancels before shipping has received an event of it.
    Cancelled,
    /// The deadline of the payment passes before another service has received an event of it.
    Unpaid,
    /// The first and the second deadline pass before another service has received an event of it.
    Overdue,
    /// A request is held, and later the provider serves it.
    Held(Request),
    /// A request is held, and an operator reports that it never arrived.
    Resolved(Request),
}

/// A request that a provider refuses or does not answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "named after the effects")]
pub enum Request {
    Charge,
    Book,
    Mail,
}

/// How an order ended, and what the providers did for it.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct OrderResult {
    ended: Option<End>,
    reason: Option<CancelReason>,
    captured: usize,
    declined: usize,
    refunded: usize,
    refunds_refused: usize,
    booked: usize,
    bookings_refused: usize,
    mails: usize,
}

impl Course {
    /// The course in which this input occurs; `None` if no course is known.
    #[must_use]
    pub fn reaching(input: &str) -> Option<Self> {
        Some(match input {
            "PlaceOrder" | "OrderPlaced" | "StockReserved" | "*charge" | "PaymentCaptured"
            | "*book" | "ShipmentDispatched" | "OrderCompleted" | "*mail" | "NotificationSent" => {
                Self::Completed
            }
            "NotificationFailed" => Self::Bounced,
            "PutProduct" | "AddStock" | "ProductListed" => Self::Listed,
            "StockRejected" | "OrderCancelled" => Self::OutOfStock,
            "PaymentDeclined" | "StockReleased" => Self::Declined,
            "ShipmentFailed" | "PaymentRefunded" | "*refund" => Self::CarrierRefuses,
            "RetryRefund" => Self::RefundRefused,
            "CancelOrder" | "OrderCancellationRequested" | "ShipmentVoided" | "PaymentVoided" => {
                Self::Cancelled
            }
            "*charge held" => Self::Held(Request::Charge),
            "*book held" => Self::Held(Request::Book),
            "*mail held" => Self::Held(Request::Mail),
            "*charge resolved" => Self::Resolved(Request::Charge),
            "*book resolved" => Self::Resolved(Request::Book),
            "*mail resolved" => Self::Resolved(Request::Mail),
            "@payment_deadline" => Self::Unpaid,
            "@first_deadline" | "@second_deadline" => Self::Overdue,
            _ => return None,
        })
    }

    /// Whether shipping voids the shipment before another service has received an event of the order.
    pub(crate) fn is_voided(self) -> bool {
        matches!(self, Self::Cancelled | Self::Unpaid | Self::Overdue)
    }

    /// The request that a provider does not serve at first.
    pub(crate) fn refused(self) -> Option<Request> {
        match self {
            Self::Held(request) | Self::Resolved(request) => Some(request),
            _ => None,
        }
    }

    /// The field of an order that is true once all deadlines of this course have passed.
    pub(crate) fn late_field(self) -> Option<&'static str> {
        match self {
            Self::Unpaid => Some("cancellation_requested"),
            Self::Overdue => Some("needs_attention"),
            _ => None,
        }
    }

    /// An order that takes this course. `mark` is part of its customer's address.
    pub(crate) fn order(self, sku: &Sku, mark: &str) -> NewOrder {
        let domain = match self {
            Self::Bounced => "bounce.example",
            Self::Held(Request::Mail) | Self::Resolved(Request::Mail) => "poisoned.example",
            _ => "example.com",
        };
        let order = NewOrder::of(sku).with("/customer/email", format!("{mark}@{domain}"));
        match self {
            Self::Completed
            | Self::Bounced
            | Self::Listed
            | Self::Cancelled
            | Self::Unpaid
            | Self::Overdue
            | Self::Held(Request::Mail)
            | Self::Resolved(Request::Mail) => order,
            Self::Held(Request::Charge) | Self::Resolved(Request::Charge) => {
                order.token("tok_poisoned")
            }
            Self::Held(Request::Book) | Self::Resolved(Request::Book) => {
                order.with("/shipping_address/postal_code", "66666")
            }
            Self::OutOfStock => order.quantity(TOO_MANY),
            Self::Declined => order.token("tok_declined"),
            Self::CarrierRefuses => order.unreachable(),
            Self::RefundRefused => order.unreachable().token("tok_refund_refused"),
        }
    }

    /// The result that an order of this course must have, with or without a death.
    pub(crate) fn expected(self) -> OrderResult {
        let completed = OrderResult {
            ended: Some(End::Completed),
            captured: 1,
            booked: 1,
            ..OrderResult::default()
        };
        let cancelled = |reason| OrderResult {
            ended: Some(End::Cancelled),
            reason: Some(reason),
            mails: 2,
            ..OrderResult::default()
        };
        let refused = OrderResult {
            captured: 1,
            refunded: 1,
            bookings_refused: 1,
            ..cancelled(CancelReason::ShipmentFailed)
        };
        match self {
            Self::Completed | Self::Listed | Self::Held(_) => OrderResult { mails: 2, ..completed },
            Self::Bounced | Self::Resolved(Request::Mail) => completed,
            Self::Resolved(Request::Charge) => cancelled(CancelReason::PaymentDeclined),
            Self::Resolved(Request::Book) => OrderResult { bookings_refused: 0, ..refused },
            Self::OutOfStock => cancelled(CancelReason::OutOfStock),
            Self::Declined => {
                OrderResult { declined: 1, ..cancelled(CancelReason::PaymentDeclined) }
            }
            Self::CarrierRefuses => refused,
            Self::RefundRefused => OrderResult { refunds_refused: 1, ..refused },
            Self::Cancelled => cancelled(CancelReason::CustomerRequest),
            Self::Unpaid | Self::Overdue => cancelled(CancelReason::Deadline),
        }
    }
}

impl OrderResult {
    /// Reads an order's result from a snapshot.
    pub(crate) fn of(order: OrderId, snapshot: &Snapshot) -> Self {
        let row = snapshot.orders.iter().find(|row| row.order_id == order);
        let Ledger { charges, refunds, bookings, mails } = &snapshot.ledger;
        let charges = |status: ChargeStatus| {
            charges.iter().filter(|it| it.order_id == order && it.status == status).count()
        };
        let refunds = |status: RefundStatus| {
            refunds.iter().filter(|it| it.order_id == order && it.status == status).count()
        };
        let bookings = |status: BookingStatus| {
            bookings.iter().filter(|it| it.order_id == order && it.status == status).count()
        };
        Self {
            ended: row.and_then(|row| row.ended),
            reason: row.and_then(|row| row.cause),
            captured: charges(ChargeStatus::Captured),
            declined: charges(ChargeStatus::Declined),
            refunded: refunds(RefundStatus::Refunded),
            refunds_refused: refunds(RefundStatus::Refused),
            booked: bookings(BookingStatus::Booked),
            bookings_refused: bookings(BookingStatus::Refused),
            mails: mails.iter().filter(|mail| mail.order() == Some(order)).count(),
        }
    }
}
