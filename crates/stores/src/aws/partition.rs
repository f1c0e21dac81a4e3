//! AWS' partitions: its separate clouds, each with a domain of its own.

/// The beginning of the partition's regions, its name in ARNs, and its domain.
type Row = (&'static str, &'static str, &'static str);

/// The partitions besides the one that everything else belongs to.
const ROWS: [Row; 7] = [
    ("cn-", "aws-cn", "amazonaws.com.cn"),
    ("us-gov-", "aws-us-gov", "amazonaws.com"),
    ("us-iso-", "aws-iso", "c2s.ic.gov"),
    ("us-isob-", "aws-iso-b", "sc2s.sgov.gov"),
    ("eu-isoe-", "aws-iso-e", "cloud.adc-e.uk"),
    ("us-isof-", "aws-iso-f", "csp.hci.ic.gov"),
    ("eusc-", "aws-eusc", "amazonaws.eu"),
];
const REST: Row = ("", "aws", "amazonaws.com");

fn of(region: &str) -> Row {
    ROWS.into_iter().find(|(start, ..)| region.starts_with(start)).unwrap_or(REST)
}

/// Returns the name of a region's partition, as ARNs have it.
#[must_use]
pub fn partition(region: &str) -> &'static str {
    of(region).1
}

/// Returns the host of a service in a region.
pub(super) fn host(service: &str, region: &str, fips: bool) -> String {
    let (_, partition, domain) = of(region);
    // In the GovCloud, the ordinary host of STS is the one that is validated.
    let is_so_anyway = service == "sts" && partition == "aws-us-gov";
    let fips = if fips && !is_so_anyway { "-fips" } else { "" };
    format!("{service}{fips}.{region}.{domain}")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A region of each partition, as botocore's `partitions.json` has them.
    const REGIONS: [(&str, &str, &str); 9] = [
        ("eu-central-1", "aws", "amazonaws.com"),
        ("us-east-1", "aws", "amazonaws.com"),
        ("cn-north-1", "aws-cn", "amazonaws.com.cn"),
        ("us-gov-west-1", "aws-us-gov", "amazonaws.com"),
        ("us-iso-east-1", "aws-iso", "c2s.ic.gov"),
        ("us-isob-east-1", "aws-iso-b", "sc2s.sgov.gov"),
        ("eu-isoe-west-1", "aws-iso-e", "cloud.adc-e.uk"),
        ("us-isof-south-1", "aws-iso-f", "csp.hci.ic.gov"),
        ("eusc-de-east-1", "aws-eusc", "amazonaws.eu"),
    ];

    #[test]
    fn each_region_is_in_its_partition_with_hosts_of_its_domain() {
        for (region, name, domain) in REGIONS {
            assert_eq!(partition(region), name);
            for service in ["secretsmanager", "sts"] {
                assert_eq!(host(service, region, false), format!("{service}.{region}.{domain}"));
            }
            let fips = host("secretsmanager", region, true);
            assert_eq!(fips, format!("secretsmanager-fips.{region}.{domain}"));
        }
        for row in ROWS {
            assert!(REGIONS.iter().any(|(_, name, domain)| (*name, *domain) == (row.1, row.2)), "{row:?}");
        }
        assert_eq!(host("sts", "us-east-1", true), "sts-fips.us-east-1.amazonaws.com");
        assert_eq!(host("sts", "us-gov-west-1", true), "sts.us-gov-west-1.amazonaws.com");
    }
}
