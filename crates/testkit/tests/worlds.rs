//! Worlds of faults drawn from seeds.

use leasehold_testkit::sim;

/// How many worlds every test run lives through, unless `WORLDS` says otherwise. `make simulate` lives through many
/// more.
const WORLDS: u64 = 2000;

/// The seeds of worlds that a run of a million has found broken, and that were mended since. What a seed draws changes
/// with the simulator, which costs nothing here.
const FOUND: [u64; 44] = [
    3_261,
    48_357,
    91_813,
    215_151,
    412_552,
    451_120,
    619_254,
    717_370,
    90_002_106,
    90_119_931,
    91_017_800,
    93_043_112,
    94_242_036,
    94_298_718,
    96_271_226,
    96_406_905,
    220_015_095,
    300_000_386,
    310_031_830,
    310_032_154,
    310_041_398,
    701_116_878,
    701_163_567,
    702_164_864,
    710_089_037,
    710_120_905,
    720_109_074,
    750_033_787,
    760_007_844,
    800_031_738,
    1_200_025_720,
    1_200_027_625,
    1_300_112_038,
    1_400_031_054,
    1_500_024_725,
    1_500_054_040,
    1_500_098_849,
    1_600_180_867,
    1_700_012_417,
    1_700_024_916,
    1_900_015_021,
    2_200_017_629,
    2_200_025_070,
    2_200_030_007,
];

#[test]
fn worlds_that_were_broken_once_stay_mended() {
    for seed in FOUND {
        assert_eq!(sim::run(seed).err(), None, "{seed}");
    }
}

#[test]
fn two_thousand_worlds_of_faults_break_no_promise() {
    let worlds = std::env::var("WORLDS").ok().and_then(|text| text.parse().ok()).unwrap_or(WORLDS);
    let threads = std::thread::available_parallelism().map_or(1, usize::from) as u64;
    let parts: Vec<_> = (0..threads)
        .map(|part| {
            std::thread::spawn(move || {
                (part..worlds)
                    .step_by(usize::try_from(threads).expect("few"))
                    .find_map(|seed| sim::run(seed).err())
            })
        })
        .collect();
    let broken: Vec<String> = parts.into_iter().filter_map(|part| part.join().expect("it ends")).collect();
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}
