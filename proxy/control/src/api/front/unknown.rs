//! Members that nobody knows (CP-023).

use std::collections::HashSet;

use fourfront_aws::Operation;
use parking_lot::Mutex;

/// Members that nobody knows and that the log has told of.
#[derive(Debug, Default)]
pub(super) struct Unknown(Mutex<HashSet<(&'static str, String)>>);

impl Unknown {
    /// As many are remembered; others are told of each time.
    const MOST: usize = 1_024;

    /// Tells of a member once.
    pub(super) fn tell(&self, operation: &'static Operation, path: &str) -> bool {
        let mut told = self.0.lock();
        // Items of a list have the same members.
        let place: Vec<_> = path
            .split('.')
            .filter(|part| part.parse::<u32>().is_err())
            .collect();
        let key = (operation.name, place.join("."));
        if told.contains(&key) {
            return false;
        }
        if told.len() < Self::MOST {
            told.insert(key);
        }
        tracing::warn!(
            "{}:{}: the member {path} is not known here: it is kept, told and has no effect (CP-023)",
            operation.service.signing_name(),
            operation.name
        );
        true
    }
}

#[cfg(test)]
mod tests {
    use fourfront_aws::Service;

    use super::*;

    #[test]
    fn what_nobody_knows_is_told_of_once() {
        // CP-023
        let unknown = Unknown::default();
        let operation = |name| Service::CloudFront.operation(name).unwrap();
        let (create, update) = (
            operation("CreateDistribution"),
            operation("UpdateDistribution"),
        );
        assert!(unknown.tell(create, "DistributionConfig.Later"));
        assert!(!unknown.tell(create, "DistributionConfig.Later"));
        assert!(unknown.tell(update, "DistributionConfig.Later"));
        assert!(unknown.tell(create, "DistributionConfig.Origins.Items.0.Later"));
        assert!(!unknown.tell(create, "DistributionConfig.Origins.Items.7.Later"));
        for number in 0..2 * Unknown::MOST {
            unknown.tell(create, &format!("DistributionConfig.M{number}"));
        }
        assert_eq!(unknown.0.lock().len(), Unknown::MOST);
    }
}
