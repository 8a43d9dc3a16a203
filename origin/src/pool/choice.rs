//! Which server a request goes to, and which come after it (CF-808). Pure: chance is handed in.

/// A server that may be chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Candidate {
    /// Its place in the table.
    pub(super) index: usize,
    /// Its share beside the others'; at least 1.
    pub(super) weight: u32,
    /// Requests it is busy with.
    pub(super) in_flight: u32,
}

impl Candidate {
    /// Whether another request is better off here than there: after it, there would be less for each unit of weight.
    fn is_less_loaded(&self, other: &Self) -> bool {
        let after = |one: &Self| u64::from(one.in_flight) + 1;
        after(self) * u64::from(other.weight) < after(other) * u64::from(self.weight)
    }
}

/// The servers in the order they are tried: the less loaded of two that chance picks by weight comes first, the others by load. (Two
/// choices suffice against crowding, and unlike the least loaded of all they do not send everybody to the one that
/// has just come back.) `chance` yields numbers below its argument, all alike.
pub(super) fn least_loaded(
    mut candidates: Vec<Candidate>,
    mut chance: impl FnMut(u64) -> u64,
) -> Vec<usize> {
    let Some(one) = pick(&candidates, &mut chance) else {
        return Vec::new();
    };
    let one = candidates.swap_remove(one);
    let first = match pick(&candidates, &mut chance) {
        Some(other) if is_busier(&one, &candidates[other]) => {
            std::mem::replace(&mut candidates[other], one)
        }
        _ => one,
    };
    candidates.sort_by(|a, b| {
        let weighed =
            |one: &Candidate, by: &Candidate| (u64::from(one.in_flight) + 1) * u64::from(by.weight);
        weighed(a, b).cmp(&weighed(b, a))
    });
    let rest = candidates.into_iter().map(|c| c.index);
    std::iter::once(first.index).chain(rest).collect()
}

/// With nothing to do there is nothing to choose by, and the first pick, which goes by weight, stands.
fn is_busier(one: &Candidate, other: &Candidate) -> bool {
    (one.in_flight > 0 || other.in_flight > 0) && other.is_less_loaded(one)
}

/// One of them, each as likely as it weighs.
fn pick(candidates: &[Candidate], chance: &mut impl FnMut(u64) -> u64) -> Option<usize> {
    let all: u64 = candidates.iter().map(|c| u64::from(c.weight)).sum();
    if all == 0 {
        return None;
    }
    let mut at = chance(all);
    candidates.iter().position(|c| {
        let weight = u64::from(c.weight);
        let here = at < weight;
        at = at.saturating_sub(weight);
        here
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn candidate(index: usize, weight: u32, in_flight: u32) -> Candidate {
        Candidate {
            index,
            weight,
            in_flight,
        }
    }

    /// Numbers that follow a simple rule, and so the same in every run.
    fn sequence() -> impl FnMut(u64) -> u64 {
        let mut state = 1_u64;
        move |below| {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) % below
        }
    }

    #[test]
    fn idle_servers_get_what_they_weigh() {
        // CF-808
        let mut chance = sequence();
        let mut counts = [0_u32; 3];
        for _ in 0..6000 {
            let all = vec![candidate(0, 1, 0), candidate(1, 2, 0), candidate(2, 3, 0)];
            let order = least_loaded(all, &mut chance);
            assert_eq!(order.len(), 3);
            counts[order[0]] += 1;
        }
        for (index, expected) in [1000_u32, 2000, 3000].into_iter().enumerate() {
            let off = counts[index].abs_diff(expected);
            assert!(off < expected / 10, "{counts:?}");
        }
    }

    #[test]
    fn of_two_the_less_loaded_comes_first_and_the_rest_by_load() {
        // CF-808
        let mut chance = sequence();
        for _ in 0..200 {
            let all = vec![candidate(7, 1, 5), candidate(8, 1, 1)];
            assert_eq!(least_loaded(all, &mut chance), [8, 7]);
            // Nine requests are less for one that weighs ten times as much.
            let all = vec![candidate(7, 10, 9), candidate(8, 1, 1)];
            assert_eq!(least_loaded(all, &mut chance), [7, 8]);
            let all = vec![candidate(0, 1, 9), candidate(1, 1, 6), candidate(2, 1, 3)];
            let order = least_loaded(all, &mut chance);
            assert_ne!(order[0], 0, "the most loaded of three is never chosen");
            assert!(
                order[1..].is_sorted_by_key(|i| std::cmp::Reverse(*i)),
                "{order:?}"
            );
        }
    }

    #[test]
    fn none_and_one_are_simple() {
        // CF-808
        assert!(least_loaded(Vec::new(), sequence()).is_empty());
        assert_eq!(least_loaded(vec![candidate(4, 1, 3)], sequence()), [4]);
    }
}
