//! `trunkline bench dial`: dials the same calls with a server and with a flooder, in turn.

use super::args::Args;
use super::flooder;
use super::measurement::Measurement;
use super::served::Served;

/// Runs the flooder and the server in turn, and prints their rates.
pub async fn run(args: Args) -> anyhow::Result<()> {
    print(&format!(
        "{} to {}, {} in flight, {} calls a run",
        args.application, args.channel, args.in_flight, args.calls
    ));
    print("            calls/s   CPU ms/call      calls/s   CPU ms/call   ratio");
    print("            flooder   flooder        trunkline   trunkline");
    let mut rounds = Vec::new();
    for round in 1..=args.rounds {
        // Each runs alone, because a second manager session costs Asterisk as much again for its events.
        let flooder = flooder::run(&args).await?;
        let server = Served::start(&args, round).await?;
        let trunkline = server.dial(&args).await;
        server.stop().await?;
        let trunkline = trunkline?;
        print_line(&format!("round {round}"), flooder, trunkline);
        rounds.push((flooder, trunkline));
    }
    let median = |of: &dyn Fn(&(Measurement, Measurement)) -> f64| median(rounds.iter().map(of).collect());
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

fn print_line(name: &str, flooder: Measurement, trunkline: Measurement) {
    print(&format!(
        "{name:10} {:8.0}   {:11.3}   {:10.0}   {:11.3}   {:5.2}",
        flooder.per_second(),
        flooder.cpu_ms_per_call(),
        trunkline.per_second(),
        trunkline.cpu_ms_per_call(),
        trunkline.per_second() / flooder.per_second(),
    ));
}

/// Returns the middle value, or the mean of the two values in the middle.
fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let half = values.len() / 2;
    match (values.get(half), half.checked_sub(1).and_then(|below| values.get(below))) {
        (Some(upper), Some(lower)) if values.len().is_multiple_of(2) => f64::midpoint(*lower, *upper),
        (Some(middle), _) => *middle,
        (None, _) => f64::NAN,
    }
}

#[expect(clippy::print_stdout, reason = "the figures are this command's output")]
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
