//! Lives through simulated worlds:
//!
//! - `--seeds N` lives through many worlds, from the seed `--from` on.
//! - `--seed N` lives through one world. With `--trace`, it prints everything that happens in it.
//! - `--fleet N` shows what so many sidecars ask of a server in `--hours`. It draws that as `--svg`, and describes it
//!   in `--page`.
//! - `--days N` shows whether one sidecar grows in so many days.

mod fleet;
mod long;
mod plot;

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, Ordering};

use clap::Parser;
use leasehold_testkit::sim;

#[derive(Parser)]
struct Arguments {
    /// How many worlds to live through.
    #[arg(long, default_value_t = 1_000_000)]
    seeds: u64,
    /// The first seed.
    #[arg(long, default_value_t = 0)]
    from: u64,
    /// Live through the world of this seed alone.
    #[arg(long)]
    seed: Option<u64>,
    /// Print what happens in the world of `--seed`.
    #[arg(long)]
    trace: bool,
    /// How many threads to use: one for each processor, unless said otherwise.
    #[arg(long)]
    threads: Option<usize>,
    /// How many broken promises to show before giving up.
    #[arg(long, default_value_t = 1)]
    failures: u64,
    /// Live through so many days of one sidecar instead, with restarts and outages in every week.
    #[arg(long, value_parser = clap::value_parser!(u32).range(28..))]
    days: Option<u32>,
    /// Live through a fleet of so many sidecars at one server instead.
    #[arg(long)]
    fleet: Option<u64>,
    /// How many hours the fleet lives.
    #[arg(long, default_value_t = 24, requires = "fleet", value_parser = clap::value_parser!(u32).range(3..))]
    hours: u32,
    /// Where to draw the load of the fleet.
    #[arg(long, requires = "fleet")]
    svg: Option<PathBuf>,
    /// Where to describe the load of the fleet.
    #[arg(long, requires = "svg")]
    page: Option<PathBuf>,
}

#[allow(clippy::print_stdout, clippy::print_stderr, reason = "a program for the terminal")]
fn main() -> ExitCode {
    let arguments = Arguments::parse();
    if let Some(days) = arguments.days {
        let (told, grows) = long::tell(days);
        println!("{told}");
        return if grows { ExitCode::FAILURE } else { ExitCode::SUCCESS };
    }
    if let Some(sidecars) = arguments.fleet {
        let told =
            fleet::tell(sidecars, arguments.hours, arguments.svg.as_deref(), arguments.page.as_deref());
        return match told {
            Ok(page) => {
                println!("{page}");
                ExitCode::SUCCESS
            }
            Err(why) => {
                eprintln!("{why}");
                ExitCode::FAILURE
            }
        };
    }
    if let Some(seed) = arguments.seed {
        let setup = sim::setup::Setup::random(seed);
        if arguments.trace {
            println!("{setup:#?}");
        }
        let mut world = sim::world::World::new(seed, setup);
        world.trace = arguments.trace;
        return match sim::live(world) {
            Ok(totals) => {
                println!("seed {seed}: {totals:?}");
                ExitCode::SUCCESS
            }
            Err(why) => {
                eprintln!("{why}");
                ExitCode::FAILURE
            }
        };
    }
    let (next, failed, steps) = (AtomicU64::new(arguments.from), AtomicU64::new(0), AtomicU64::new(0));
    let end = arguments.from + arguments.seeds;
    let work = || loop {
        let seed = next.fetch_add(1, Ordering::Relaxed);
        if seed >= end || failed.load(Ordering::Relaxed) >= arguments.failures {
            return;
        }
        match sim::run(seed) {
            Ok(totals) => {
                steps.fetch_add(totals.steps, Ordering::Relaxed);
            }
            Err(why) => {
                failed.fetch_add(1, Ordering::Relaxed);
                eprintln!("{why}");
            }
        }
    };
    std::thread::scope(|scope| {
        let all = || std::thread::available_parallelism().map_or(1, usize::from);
        for _ in 0..arguments.threads.unwrap_or_else(all) {
            scope.spawn(work);
        }
    });
    let failed = failed.into_inner();
    println!("{} worlds, {} steps, {failed} broken", arguments.seeds, steps.into_inner());
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
