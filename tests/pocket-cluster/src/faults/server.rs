//! What happens to requests to the API server.

use super::{ApiFault, key};
use crate::api::Subject;
use crate::refusal::{Reason, Refusal};
use crate::store::Key;

/// A fault of the API server, and the requests that it has seen.
pub(super) struct Rule {
    fault: ApiFault,
    seen: u64,
    failed: u64,
}

/// What becomes of a request.
#[derive(Clone, Debug)]
pub(crate) enum Passage {
    Open,
    Refused(Refusal),
    Lost(Loss),
}

/// A request whose answer nobody hears.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Loss {
    /// It is performed all the same.
    pub(crate) is_performed: bool,
    /// Who has asked is killed.
    pub(crate) kills: bool,
}

/// How much later a request is answered, and how.
pub(super) fn judge(rules: &mut [Rule], subject: &Subject, is_write: bool) -> (u64, Passage) {
    let mut latency = 0;
    let mut passage = Passage::Open;
    for rule in rules.iter_mut().filter(|rule| rule.is_about(subject, is_write)) {
        latency += rule.fault.latency_millis;
        if rule.fails() {
            passage = rule.passage();
        }
    }
    (latency, passage)
}

/// How many milliseconds later a watch tells.
pub(super) fn lag(rules: &[Rule], subject: &Subject) -> u64 {
    rules.iter().filter(|rule| rule.is_about(subject, false)).map(|rule| rule.fault.lag_millis).sum()
}

impl Rule {
    pub(super) fn of(fault: &ApiFault) -> Self {
        Self { fault: fault.clone(), seen: 0, failed: 0 }
    }

    fn is_about(&self, subject: &Subject, is_write: bool) -> bool {
        let Subject::ServiceAccount { namespace, name } = subject else { return false };
        let own = Key::new("serviceaccounts", namespace, name);
        let named = |account: &String| key("serviceaccounts", account) == own;
        self.fault.service_account.as_ref().is_none_or(named) && (is_write || !self.fault.writes_only)
    }

    /// Whether it is this request's turn to fail. Failures are evenly spread, so that a story goes the same way each time.
    fn fails(&mut self) -> bool {
        self.seen += 1;
        let Some(turn) = self.seen.checked_sub(self.fault.spared).filter(|turn| *turn > 0) else { return false };
        let is_over = self.fault.times > 0 && self.failed >= self.fault.times;
        let fails = !is_over && failures_until(turn, self.fault.share) > failures_until(turn - 1, self.fault.share);
        self.failed += u64::from(fails);
        fails
    }

    fn passage(&self) -> Passage {
        let ApiFault { after_the_act, kill, code, .. } = self.fault;
        if after_the_act || kill || code == 0 {
            return Passage::Lost(Loss { is_performed: after_the_act, kills: kill });
        }
        Passage::Refused(Refusal::new(reason(code), "a fault was asked for").after(1))
    }
}

#[allow(clippy::cast_precision_loss, clippy::cast_possible_truncation, reason = "no story has that many requests")]
fn failures_until(turn: u64, share: f64) -> i64 {
    (turn as f64 * share).floor() as i64
}

fn reason(code: u16) -> Reason {
    match code {
        401 => Reason::Unauthorized,
        403 => Reason::Forbidden,
        409 => Reason::Conflict,
        410 => Reason::Expired,
        429 => Reason::TooManyRequests,
        503 => Reason::ServiceUnavailable,
        _ => Reason::InternalError,
    }
}
