//! `trunkline bench dial`: dials the same calls through a server and through a flooder, in turn.

use std::path::PathBuf;
use std::time::Duration;

use super::flooder;
use super::served::Served;

/// The flags.
#[derive(Clone, clap::Args)]
pub struct Args {
    /// Where the Asterisk Manager listens
    #[arg(long, value_name = "HOST:PORT")]
    pub ami: String,
    /// The manager user
    #[arg(long, default_value = "dialer")]
    pub username: String,
    /// Its secret
    #[arg(long, env = "TRUNKLINE_BENCH_SECRET", hide_env_values = true)]
    pub secret: String,
    /// What every call dials
    #[arg(long, default_value = "Local/100@fast/n")]
    pub channel: String,
    /// What runs when it answers
    #[arg(long, default_value = "NoOp")]
    pub application: String,
    /// The application's arguments
    #[arg(long, default_value = "")]
    pub data: String,
    /// Calls that are live at once
    #[arg(long, default_value_t = 200, value_parser = clap::value_parser!(u16).range(1..))]
    pub in_flight: u16,
    /// Calls of each run
    #[arg(long, default_value_t = 20_000, value_parser = clap::value_parser!(u32).range(1000..=1_000_000))]
    pub calls: u32,
    /// How often each of the two runs
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u16).range(1..))]
    pub rounds: u16,
    /// Where the server keeps its book, on a real disk [default: the directory for temporary files]
    #[arg(long, value_name = "DIR")]
    pub dir: Option<PathBuf>,
}

/// What one run took.
#[derive(Clone, Copy, Debug)]
pub struct Taken {
    pub calls: u32,
    pub time: Duration,
    /// The processor time of the process that dialed.
    pub cpu: Duration,
}

impl Taken {
    fn per_second(self) -> f64 {
        f64::from(self.calls) / self.time.as_secs_f64()
    }

    fn cpu_ms_per_call(self) -> f64 {
        self.cpu.as_secs_f64() * 1000.0 / f64::from(self.calls)
    }
}

pub async fn run(args: Args) -> anyhow::Result<()> {
    print(&format!(
        "{} to {}, {} in flight, {} calls a run",
        args.application, args.channel, args.in_flight, args.calls
    ));
    print("            calls/s   CPU ms/call      calls/s   CPU ms/call   ratio");
    print("            flooder   flooder        trunkline   trunkline");
    let mut rounds = Vec::new();
    for round in 1..=args.rounds {
        // Each alone: a second session costs Asterisk the same again for its events.
        let flooder = flooder::run(&args).await?;
        let server = Served::start(&args, round).await?;
        let trunkline = server.dial(&args).await;
        server.stop().await?;
        let trunkline = trunkline?;
        print_line(&format!("round {round}"), flooder, trunkline);
        rounds.push((flooder, trunkline));
    }
    let median = |of: &dyn Fn(&(Taken, Taken)) -> f64| median(rounds.iter().map(of).collect());
    print(&format!(
        "median     {:8.0}   {:11.3}   {:10.0}   {:11.3}   {:5.2}",
        median(&|round| round.0.per_second()),
        median(&|round| round.0.cpu_ms_per_call()),
        median(&|round| round.1.per_second()),
        median(&|round| round.1.cpu_ms_per_call()),
        median(&|round| round.1.per_second() / round.0.per_second()),
    ));
    Ok(())
}

fn print_line(name: &str, flooder: Taken, trunkline: Taken) {
    print(&format!(
        "{name:10} {:8.0}   {:11.3}   {:10.0}   {:11.3}   {:5.2}",
        flooder.per_second(),
        flooder.cpu_ms_per_call(),
        trunkline.per_second(),
        trunkline.cpu_ms_per_call(),
        trunkline.per_second() / flooder.per_second(),
    ));
}

/// The middle one, or the mean of the two in the middle.
fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let half = values.len() / 2;
    match (values.get(half), half.checked_sub(1).and_then(|below| values.get(below))) {
        (Some(upper), Some(lower)) if values.len().is_multiple_of(2) => f64::midpoint(*lower, *upper),
        (Some(middle), _) => *middle,
        (None, _) => f64::NAN,
    }
}

#[expect(clippy::print_stdout, reason = "figures are what this command prints")]
fn print(line: &str) {
    println!("{line}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_of_an_even_number_is_the_mean_of_the_middle_two() {
        assert!((median(vec![4.0, 1.0, 2.0]) - 2.0).abs() < f64::EPSILON);
        assert!((median(vec![4.0, 1.0, 2.0, 3.0]) - 2.5).abs() < f64::EPSILON);
        assert!(median(Vec::new()).is_nan());
    }
}
