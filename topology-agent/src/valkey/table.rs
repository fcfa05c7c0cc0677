//! `CLUSTER NODES`: what a server says of every node that it knows.

use std::net::IpAddr;

use planner::{Health, NodeId, OpenSlot, Opening, Ordinal, Role, Row, SlotSet};

/// What one server says of the nodes that it knows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Table {
    /// Who it is itself.
    pub myself: NodeId,
    /// A row for each node, in the order of their ids.
    pub rows: Vec<Row>,
    /// The slots that stand open on it.
    pub open: Vec<OpenSlot>,
}

/// A table that is not as Valkey writes it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OddTable {
    /// A line that cannot be read.
    #[error("line {line} of the table of nodes has {what}")]
    Line {
        /// Its number, from one.
        line: usize,
        /// What is wrong with it.
        what: &'static str,
    },
    /// No line says that it is about the server itself.
    #[error("the table of nodes lacks the server's own line")]
    NoMyself,
}

impl Table {
    /// Reads what `CLUSTER NODES` answers; `pod_of` says whose host name is announced.
    ///
    /// # Errors
    /// The text is not such an answer.
    pub fn read(text: &str, pod_of: impl Fn(&str) -> Option<Ordinal>) -> Result<Self, OddTable> {
        let (mut myself, mut rows, mut open) = (None, Vec::new(), Vec::new());
        for (number, line) in (1..).zip(text.lines()).filter(|(_, line)| !line.trim().is_empty()) {
            let line = read_line(line, &pod_of).map_err(|what| OddTable::Line { line: number, what })?;
            if line.is_myself {
                myself = Some(line.row.id);
                open = line.open;
            }
            rows.push(line.row);
        }
        rows.sort_unstable_by_key(|row| row.id);
        Ok(Self { myself: myself.ok_or(OddTable::NoMyself)?, rows, open })
    }

    /// What the server says of itself.
    #[must_use]
    pub fn own(&self) -> Option<&Row> {
        self.rows.iter().find(|row| row.id == self.myself)
    }
}

struct Line {
    row: Row,
    is_myself: bool,
    open: Vec<OpenSlot>,
}

fn read_line(line: &str, pod_of: impl Fn(&str) -> Option<Ordinal>) -> Result<Line, &'static str> {
    let mut fields = line.split(' ');
    let mut next = || fields.next().ok_or("too few fields");
    let id: NodeId = next()?.parse().map_err(|_| "no id")?;
    let place = next()?;
    let flags: Vec<&str> = next()?.split(',').collect();
    let primary = next()?;
    let (_ping, _pong) = (next()?, next()?);
    let epoch = next()?.parse().map_err(|_| "no epoch")?;
    let linked = next()? == "connected";
    let has = |flag| flags.contains(&flag);
    let (slots, open) = read_slots(fields)?;
    let (address, host) = read_place(place);
    let row = Row {
        id,
        pod: host.and_then(pod_of),
        address: address.filter(|_| !has("noaddr")),
        role: if has("slave") { primary.parse().ok().map(Role::Replica) } else { Some(Role::Primary) },
        health: health(has),
        linked,
        epoch,
        slots,
    };
    Ok(Line { row, is_myself: has("myself"), open })
}

fn health(has: impl Fn(&'static str) -> bool) -> Health {
    match () {
        () if has("handshake") => Health::Handshake,
        () if has("fail") => Health::Failed,
        () if has("fail?") => Health::Suspected,
        () => Health::Fine,
    }
}

/// `address:port@bus-port[,host name][,key=value…]`
fn read_place(place: &str) -> (Option<IpAddr>, Option<&str>) {
    let mut parts = place.split(',');
    let endpoint = parts.next().and_then(|endpoint| endpoint.split('@').next()).unwrap_or_default();
    let address = endpoint.rsplit_once(':').map_or(endpoint, |(address, _)| address);
    let host = parts.next().filter(|host| !host.is_empty() && !host.contains('='));
    (address.trim_matches(['[', ']']).parse().ok(), host)
}

/// Ranges, and in a server's own line what stands open: `[7->-id]` on its way there, `[7-<-id]` on its way from there.
fn read_slots<'a>(fields: impl Iterator<Item = &'a str>) -> Result<(SlotSet, Vec<OpenSlot>), &'static str> {
    let (mut ranges, mut open) = (Vec::new(), Vec::new());
    for field in fields.filter(|field| !field.is_empty()) {
        match field.strip_prefix('[').and_then(|field| field.strip_suffix(']')) {
            Some(inner) => open.extend(read_open(inner)?),
            None => ranges.push(read_range(field)?),
        }
    }
    Ok((ranges.into_iter().collect(), open))
}

pub(super) fn read_range(field: &str) -> Result<std::ops::RangeInclusive<u16>, &'static str> {
    let number = |text: &str| text.parse::<u16>().map_err(|_| "a slot that is no number");
    match field.split_once('-') {
        Some((start, end)) => Ok(number(start)?..=number(end)?),
        None => Ok(number(field)?..=number(field)?),
    }
}

/// Jobs of atomic migrations are listed in brackets as well, without an arrow; servers list them elsewhere in full.
fn read_open(inner: &str) -> Result<Option<OpenSlot>, &'static str> {
    let odd = "an open slot that cannot be read";
    let (slot, id, to): (_, _, fn(NodeId) -> Opening) = if let Some((slot, id)) = inner.split_once("->-") {
        (slot, id, Opening::Migrating)
    } else if let Some((slot, id)) = inner.split_once("-<-") {
        (slot, id, Opening::Importing)
    } else {
        return Ok(None);
    };
    let slot = slot.parse().map_err(|_| odd)?;
    Ok(Some(OpenSlot { slot, to: to(id.parse().map_err(|_| odd)?) }))
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: &str = "07c37dfeb235213a872192d90877d0cd55635b91";
    const B: &str = "e7d1eecce10fd6bb5eb35b9f99a514335d9ba9ca";

    fn pod_of(host: &str) -> Option<Ordinal> {
        host.strip_prefix("pod-")?.parse().ok().map(Ordinal)
    }

    fn read(text: &str) -> Result<Table, OddTable> {
        Table::read(text, pod_of)
    }

    #[test]
    fn a_table_is_read_with_all_that_its_rows_say() {
        let table = read(&format!(
            "{B} 10.0.0.2:6379@16379,pod-1,shard-id=ab slave,fail? {A} 0 1 3 disconnected\n\
             {A} 10.0.0.1:6379@16379,pod-0 myself,master - 0 0 7 connected 0-5 7 [8->-{B}] [9-<-{B}]\n"
        ))
        .unwrap();
        let (a, b): (NodeId, NodeId) = (A.parse().unwrap(), B.parse().unwrap());
        assert_eq!(table.myself, a);
        let opened = [OpenSlot { slot: 8, to: Opening::Migrating(b) }, OpenSlot { slot: 9, to: Opening::Importing(b) }];
        assert_eq!(table.open, opened);
        let [own, other] = table.rows.as_slice() else { panic!() };
        assert_eq!((own.slots.to_string().as_str(), own.epoch, own.linked), ("0-5 7", 7, true));
        assert_eq!((own.pod, own.address), (Some(Ordinal(0)), "10.0.0.1".parse().ok()));
        assert_eq!((other.role, other.health, other.linked), (Some(Role::Replica(a)), Health::Suspected, false));
    }

    #[test]
    fn an_address_may_be_of_either_family_or_missing() {
        let place =
            |place: &str| read(&format!("{A} {place} myself,master - 0 0 0 connected")).unwrap().rows[0].clone();
        assert_eq!(place("fd00::1:6379@16379").address, "fd00::1".parse().ok());
        assert_eq!(place(":0@0").address, None);
        assert_eq!(place("10.0.0.1:6379@16379,,tls-port=0").pod, None);
        let gone = format!("{A} 10.0.0.1:6379@16379 myself,master,noaddr,fail - 0 0 0 disconnected");
        assert_eq!(read(&gone).unwrap().rows[0].address, None);
        assert_eq!(read(&gone).unwrap().rows[0].health, Health::Failed);
    }

    #[test]
    fn what_is_no_table_is_refused_with_its_line() {
        let own = format!("{A} 10.0.0.1:6379@16379 myself,master - 0 0 0 connected");
        assert_eq!(read(""), Err(OddTable::NoMyself));
        assert_eq!(read(&own.replace("myself,", "")), Err(OddTable::NoMyself));
        for (wrong, what) in [
            ("ERR unknown", "no id"),
            (&format!("{A} 10.0.0.1"), "too few fields"),
            (&own.replace("0 connected", "x connected"), "no epoch"),
            (&format!("{own} 1-x"), "a slot that is no number"),
            (&format!("{own} [7->-x]"), "an open slot that cannot be read"),
        ] {
            assert_eq!(read(&format!("{own}\n{wrong}")), Err(OddTable::Line { line: 2, what }), "{wrong}");
        }
    }
}
