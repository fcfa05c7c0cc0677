//! Where the tables of several nodes differ, what that means, and what to do about it, in the order of danger.

use std::collections::{BTreeMap, BTreeSet};

use planner::{Health, NodeId, Opening, Role, Row, SLOTS, SlotSet};

use crate::valkey::Table;

/// What one node said of all nodes.
#[derive(Debug, Clone)]
pub(crate) struct Dump {
    /// What the node is called.
    pub(crate) name: String,
    /// What it said.
    pub(crate) table: Table,
}

/// Something that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Finding {
    /// What.
    pub(crate) what: String,
    /// What to do about it.
    pub(crate) remedy: String,
}

/// Everything that is wrong, most dangerous first.
#[must_use]
pub(crate) fn examine(dumps: &[Dump]) -> Vec<Finding> {
    let case = Case::of(dumps);
    [case.strangers(), case.quorum(), case.unowned(), case.disputed(), case.moved(), case.unheard(), case.open()]
        .concat()
}

/// The dumps, read once.
struct Case<'a> {
    dumps: &'a [Dump],
    names: BTreeMap<NodeId, &'a str>,
    /// What each node says of itself.
    own: BTreeMap<NodeId, &'a Row>,
}

impl<'a> Case<'a> {
    fn of(dumps: &'a [Dump]) -> Self {
        let names = dumps.iter().map(|dump| (dump.table.myself, dump.name.as_str())).collect();
        let own = dumps.iter().filter_map(|dump| dump.table.own().map(|row| (row.id, row))).collect();
        Self { dumps, names, own }
    }

    fn name(&self, id: NodeId) -> String {
        self.names.get(&id).map_or_else(|| id.short(), ToString::to_string)
    }

    fn named(&self, ids: impl IntoIterator<Item = NodeId>) -> String {
        ids.into_iter().map(|id| self.name(id)).collect::<Vec<_>>().join(", ")
    }

    fn rows(&self) -> impl Iterator<Item = (&'a Dump, &'a Row)> {
        self.dumps.iter().flat_map(|dump| dump.table.rows.iter().map(move |row| (dump, row)))
    }

    /// Two clusters that have met, or are about to: nodes that only some know, without a dump of their own.
    fn strangers(&self) -> Vec<Finding> {
        let mut knowing: BTreeMap<NodeId, Vec<NodeId>> = BTreeMap::new();
        for (dump, row) in self.rows().filter(|(_, row)| !self.own.contains_key(&row.id)) {
            knowing.entry(row.id).or_default().push(dump.table.myself);
        }
        let stranger = |(id, by): (NodeId, Vec<NodeId>)| {
            Finding {
            what: format!("{id} has no dump here, and is known to {}", self.named(by)),
            remedy: "find out whose it is before anything else; if it is of another cluster, change nothing until they are \
                     parted: nodes that meet merge, and the side with the lower epochs loses its keys. If it is gone for \
                     good and owns no slots, CLUSTER FORGET it on every node"
                .to_owned(),
        }
        };
        knowing.into_iter().map(stranger).collect()
    }

    fn owners(&self) -> BTreeSet<NodeId> {
        self.rows().filter(|(_, row)| !row.slots.is_empty()).map(|(_, row)| row.id).collect()
    }

    /// A node counts as down once most of those that vote say so.
    fn quorum(&self) -> Vec<Finding> {
        let owners = self.owners();
        let has_vote = |dump: &Dump| self.own.get(&dump.table.myself).is_some_and(|own| !own.slots.is_empty());
        let doubted = |id: &NodeId| {
            let votes = self.rows().filter(|(dump, row)| row.id == *id && dump.table.myself != *id && has_vote(dump));
            let (bad, all) =
                votes.fold((0, 0), |(bad, all), (_, row)| (bad + usize::from(row.health != Health::Fine), all + 1));
            all > 0 && bad * 2 > all
        };
        let down: Vec<NodeId> = owners.iter().copied().filter(doubted).collect();
        if down.is_empty() {
            return Vec::new();
        }
        let lost = down.len() * 2 >= owners.len();
        let what =
            format!("{} of {} primaries are down for most others: {}", down.len(), owners.len(), self.named(down));
        let remedy = if lost {
            "there is no majority for a vote: bring their processes back, on their own volumes. Only where a primary is proven \
             gone for good, CLUSTER FAILOVER TAKEOVER on its best replica, one shard at a time"
        } else {
            "their replicas are elected by themselves within seconds; if one is not, look at its link to its primary"
        };
        vec![Finding { what, remedy: remedy.to_owned() }]
    }

    fn unowned(&self) -> Vec<Finding> {
        let owned = self.rows().fold(SlotSet::EMPTY, |all, (_, row)| all.or(&row.slots));
        let missing = owned.complement();
        if missing.is_empty() {
            return Vec::new();
        }
        let what = format!("nobody owns {} of {SLOTS} slots: {missing}", missing.len());
        let remedy = "find the node that holds their keys (CLUSTER COUNTKEYSINSLOT on each) and CLUSTER ADDSLOTSRANGE there; \
                      if none does, their keys are lost";
        vec![Finding { what, remedy: remedy.to_owned() }]
    }

    /// Nodes differ about owners. Each is believed about itself; the higher epoch wins among servers.
    fn disputed(&self) -> Vec<Finding> {
        let mut wrong: BTreeMap<(NodeId, String), Vec<NodeId>> = BTreeMap::new();
        for (dump, row) in self.rows() {
            let Some(own) = self.own.get(&row.id).filter(|own| own.slots != row.slots) else { continue };
            let differs = own.slots.without(&row.slots).or(&row.slots.without(&own.slots));
            wrong.entry((row.id, differs.to_string())).or_default().push(dump.table.myself);
        }
        let finding = |((owner, slots), by): ((NodeId, String), Vec<NodeId>)| {
            Finding {
            what: format!("{} and {} disagree on whether it owns {slots}", self.name(owner), self.named(by)),
            remedy: "wait: the claim with the higher epoch spreads by itself once the nodes hear each other. Never settle it with \
                     valkey-cli --cluster fix"
                .to_owned(),
        }
        };
        wrong.into_iter().map(finding).collect()
    }

    /// A node that came back elsewhere is looked for where it was.
    fn moved(&self) -> Vec<Finding> {
        let mut stale: BTreeMap<NodeId, Vec<NodeId>> = BTreeMap::new();
        for (dump, row) in self.rows() {
            if self.own.get(&row.id).is_some_and(|own| own.address.is_some() && own.address != row.address) {
                stale.entry(row.id).or_default().push(dump.table.myself);
            }
        }
        let mut moved: Vec<_> = stale.into_iter().collect();
        // Primaries first: until most of them hear each other, nothing can be voted on.
        moved.sort_by_key(|(id, _)| self.own.get(id).is_none_or(|own| own.role != Some(Role::Primary)));
        let finding = |(id, by): (NodeId, Vec<NodeId>)| {
            let address =
                self.own.get(&id).and_then(|own| own.address).map(|address| address.to_string()).unwrap_or_default();
            Finding {
                what: format!("{} is at {address}, and {} look for it elsewhere", self.name(id), self.named(by)),
                remedy: format!(
                    "ask {address} for CLUSTER MYID; if it is {id}, CLUSTER MEET {address} 6379 on one of them. Forget nothing"
                ),
            }
        };
        moved.into_iter().map(finding).collect()
    }

    /// A node that others know, and that does not know them.
    fn unheard(&self) -> Vec<Finding> {
        let lacking = self.dumps.iter().filter_map(|dump| {
            let known: BTreeSet<NodeId> = dump.table.rows.iter().map(|row| row.id).collect();
            let unknown: Vec<NodeId> = self.own.keys().copied().filter(|id| !known.contains(id)).collect();
            (!unknown.is_empty()).then(|| Finding {
                what: format!("{} does not know {}", dump.name, self.named(unknown)),
                remedy: "if all of them belong to this cluster, CLUSTER MEET one of those it does not know".to_owned(),
            })
        });
        lacking.collect()
    }

    fn open(&self) -> Vec<Finding> {
        let primaries =
            self.dumps.iter().filter(|dump| dump.table.own().is_some_and(|row| row.role == Some(Role::Primary)));
        let open = primaries.flat_map(|dump| dump.table.open.iter().map(move |open| (dump, open)));
        let finding = |(dump, open): (&Dump, &planner::OpenSlot)| {
            let (way, other) = match open.to {
                Opening::Migrating(to) => ("on its way to", to),
                Opening::Importing(from) => ("on its way from", from),
            };
            Finding {
                what: format!("slot {} stands open on {}, {way} {}", open.slot, dump.name, self.name(other)),
                remedy: "count its keys on both sides. Keys on both, or both sides open: carry on moving it. Keys on its owner \
                         alone: CLUSTER SETSLOT STABLE on the other, then on the owner. Never STABLE while a node that does not \
                         own it holds keys of it"
                    .to_owned(),
            }
        };
        open.map(finding).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: &str = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
    const B: &str = "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb";
    const C: &str = "cccccccccccccccccccccccccccccccccccccccc";

    /// Three primaries that agree, each as the other two see it too.
    fn sound() -> [(&'static str, &'static str, [String; 3]); 3] {
        let row =
            |id: &str, at: u8, slots: &str| format!("{id} 10.0.0.{at}:6379@16379 master - 0 0 {at} connected {slots}");
        let rows = [row(A, 1, "0-5460"), row(B, 2, "5461-10922"), row(C, 3, "10923-16383")];
        [("a", A, rows.clone()), ("b", B, rows.clone()), ("c", C, rows)]
    }

    fn dump((name, id, rows): &(&str, &str, [String; 3])) -> Dump {
        let own =
            |row: &String| if row.starts_with(id) { row.replace(" master", " myself,master") } else { row.clone() };
        let text = rows.iter().map(own).collect::<Vec<_>>().join("\n");
        Dump { name: (*name).to_owned(), table: Table::read(&text, |_| None).unwrap() }
    }

    fn findings(dumps: &[(&str, &str, [String; 3])]) -> Vec<String> {
        examine(&dumps.iter().map(dump).collect::<Vec<_>>()).into_iter().map(|finding| finding.what).collect()
    }

    #[test]
    fn nothing_is_found_in_a_sound_cluster() {
        assert_eq!(findings(&sound()), Vec::<String>::new());
    }

    #[test]
    fn a_node_that_moved_is_named_with_who_looks_for_it_elsewhere() {
        let mut dumps = sound();
        dumps[0].2[0] = dumps[0].2[0].replace("10.0.0.1:", "10.0.0.9:");
        assert_eq!(findings(&dumps), ["a is at 10.0.0.9, and b, c look for it elsewhere"]);
    }

    #[test]
    fn a_stranger_comes_first() {
        let mut dumps = sound();
        dumps[1].2[0] = format!("{} 10.0.9.1:6379@16379 master - 0 0 9 connected", "d".repeat(40));
        let found = findings(&dumps);
        assert_eq!(found.first().unwrap(), &format!("{} has no dump here, and is known to b", "d".repeat(40)));
        assert!(found.contains(&"b does not know a".to_owned()), "{found:?}");
    }

    #[test]
    fn slots_without_an_owner_and_open_ones_are_listed() {
        let mut dumps = sound();
        for dump in &mut dumps {
            dump.2[2] = dump.2[2].replace("10923-16383", "10923-16382");
        }
        dumps[0].2[0] = format!("{} [7->-{B}]", dumps[0].2[0]);
        let found = findings(&dumps);
        assert_eq!(found, ["nobody owns 1 of 16384 slots: 16383", "slot 7 stands open on a, on its way to b"]);
    }

    #[test]
    fn a_disagreement_is_put_to_the_owner() {
        let mut dumps = sound();
        dumps[2].2[0] = dumps[2].2[0].replace("0-5460", "0-5459");
        assert_eq!(findings(&dumps), ["a and c disagree on whether it owns 5460"]);
    }

    #[test]
    fn a_lost_majority_is_told_from_a_lost_primary() {
        let mut dumps = sound();
        for (_, id, rows) in &mut dumps {
            rows.iter_mut()
                .skip(1)
                .filter(|row| !row.starts_with(*id))
                .for_each(|row| *row = row.replace(" master", " master,fail?"));
        }
        assert_eq!(findings(&dumps), ["2 of 3 primaries are down for most others: b, c"]);
    }

    /// Cut off with its replicas, one primary is outvoted by the two others, however many follow it.
    #[test]
    fn only_primaries_with_slots_vote() {
        let doubts = |rows: &[String; 3], mine: &[&str]| {
            let doubted = |row: &String| !mine.iter().any(|id| row.starts_with(id));
            rows.clone().map(|row| if doubted(&row) { row.replace(" master", " master,fail?") } else { row })
        };
        let mut dumps = sound().to_vec();
        dumps[0].2 = doubts(&dumps[0].2, &[A]);
        for dump in &mut dumps[1..] {
            dump.2 = doubts(&dump.2, &[B, C]);
        }
        let replicas = ["d", "e", "f"].map(|digit| (digit, digit.repeat(40)));
        let mut read: Vec<Dump> = dumps.iter().map(dump).collect();
        for (name, id) in replicas {
            let own = format!("{id} 10.0.0.7:6379@16379 myself,slave {A} 0 0 1 connected");
            let text = [&dumps[0].2[..], &[own]].concat().join("\n");
            read.push(Dump { name: name.to_owned(), table: Table::read(&text, |_| None).unwrap() });
        }
        let found: Vec<String> = examine(&read).into_iter().map(|finding| finding.what).collect();
        assert!(found.contains(&"1 of 3 primaries are down for most others: a".to_owned()), "{found:?}");
    }
}
