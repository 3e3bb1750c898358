//! What a load measured, for people and for machines.

use super::Args;
use super::measure::{Measured, Rate};
use crate::bench::machine::Machine;
use crate::output::{Output, Paint};
use eleven_core::encoding::{Object, Value};
use eleven_ledger::load::{EVENTS_PER_CALL, ProofCosts};

const QUANTILES: [(&str, usize); 5] = [("p50", 500), ("p90", 900), ("p99", 990), ("p99.9", 999), ("max", 1000)];

/// What a governed call and what belongs to it take on the disk: the denials of the load are its share of them.
fn bytes_per_call(args: &Args, measured: &Measured) -> Option<u64> {
    let bodies = measured.events / args.events_per_body().max(1);
    let calls = bodies * u64::from(args.calls);
    // A denial is one event and no blob; it counts as a seventh of a call.
    let calls = calls * EVENTS_PER_CALL + bodies * u64::from(args.denials);
    let sevenths = measured.disk?.checked_mul(EVENTS_PER_CALL)?;
    sevenths.checked_div(calls)
}

/// For people.
pub(crate) fn text(machine: &Machine, args: &Args, measured: &Measured, output: Output) -> String {
    let mut lines = machine.lines();
    if cfg!(debug_assertions) {
        let warning =
            "this binary is not optimised: its figures say little; cargo run --release -p eleven -- ledger hammer";
        lines.push(output.paint(Paint::Warn, warning));
    }
    lines.push(format!("{} events taken, every signature verified strictly, every answer durable", measured.events));
    let rate = |rate: &Rate| {
        let per_second = output.paint(Paint::Good, &format!("{:>9.0} events/s", rate.per_second));
        format!("  at {:>9} entries {per_second}, over {} events", rate.window.from, rate.window.events)
    };
    lines.extend(measured.windows.iter().map(rate));
    let ms = |micros: u64| format!("{:.2}", micros as f64 / 1000.0);
    for (name, values) in [("durable answer", &measured.durable), ("signed head", &measured.headed)] {
        let quantiles =
            QUANTILES.map(|(quantile, permille)| format!("{quantile} {}", ms(Measured::within(values, permille))));
        lines.push(format!("  {name:<15} {} ms", quantiles.join(", ")));
    }
    let (count, [p50, p90, p99, max]) = measured.syncs;
    lines.push(format!("  {:<15} {count}: p50 {p50}, p90 {p90}, p99 {p99}, max {max} us", "fdatasync"));
    let cpu: Vec<String> = measured.cpu.iter().map(|(name, micros)| format!("{name} {micros:.1}")).collect();
    lines.push(format!("  {:<15} {} us an event", "processor time", cpu.join(", ")));
    lines.push(format!("  {:<15} {:.0} MiB at most", "memory", measured.peak_kib as f64 / 1024.0));
    if let Some(bytes) = bytes_per_call(args, measured) {
        lines.push(format!("  {:<15} {bytes} bytes a call of seven events", "disk"));
    }
    lines.extend(measured.proofs.iter().flat_map(proofs));
    lines.join("\n")
}

fn proofs(costs: &ProofCosts) -> [String; 3] {
    let us = |nanos: u64| nanos as f64 / 1000.0;
    [
        format!("  {:<15} made in {:.2} us", "inclusion", us(costs.inclusion)),
        format!(
            "  {:<15} made in {:.2} us, verified in {:.2} us, {} bytes at most",
            "exclusion",
            us(costs.exclusion),
            us(costs.exclusion_verified),
            costs.exclusion_bytes
        ),
        format!(
            "  {:<15} made in {:.0} us, {:.0} us cold, verified in {:.0} us, {} bytes",
            "bundle",
            us(costs.bundle),
            us(costs.bundle_cold),
            us(costs.bundle_verified),
            costs.bundle_bytes
        ),
    ]
}

/// For machines.
pub(crate) fn document(machine: &Machine, args: &Args, measured: &Measured) -> Value {
    let quantiles = |values: &[u64]| {
        let of = |object: Object, (name, permille): (&str, usize)| {
            object.with(format!("{name}_us"), Measured::within(values, permille))
        };
        QUANTILES.into_iter().fold(Object::new(), of)
    };
    let rate = |rate: &Rate| {
        let object = Object::new().with("entries", rate.window.from).with("events", rate.window.events);
        Value::Object(object.with("events_per_second", rate.per_second.round() as u64))
    };
    let cpu = |(name, micros): &(String, f64)| {
        let nanos = (micros * 1000.0).round() as u64;
        Value::Object(Object::new().with("name", name).with("ns_per_event", nanos))
    };
    let (count, values) = measured.syncs;
    let named = ["p50_us", "p90_us", "p99_us", "max_us"].into_iter().zip(values);
    let syncs = named.fold(Object::new().with("count", count), |object, (name, value)| object.with(name, value));
    let object = machine
        .to_object()
        .with_some("error", measured.failed())
        .with("events", measured.events)
        .with("rates", measured.windows.iter().map(rate).collect::<Vec<_>>())
        .with("durable", quantiles(&measured.durable))
        .with("signed_head", quantiles(&measured.headed))
        .with("fdatasync", syncs)
        .with("cpu", measured.cpu.iter().map(cpu).collect::<Vec<_>>())
        .with("peak_kib", measured.peak_kib)
        .with_some("proofs", measured.proofs.as_ref().map(proofs_value))
        .with_some("disk_bytes", measured.disk)
        .with_some("disk_bytes_per_call", bytes_per_call(args, measured));
    Value::Object(object)
}

fn proofs_value(costs: &ProofCosts) -> Object {
    Object::new()
        .with("inclusion_ns", costs.inclusion)
        .with("exclusion_ns", costs.exclusion)
        .with("exclusion_verified_ns", costs.exclusion_verified)
        .with("exclusion_bytes", costs.exclusion_bytes)
        .with("bundle_ns", costs.bundle)
        .with("bundle_cold_ns", costs.bundle_cold)
        .with("bundle_verified_ns", costs.bundle_verified)
        .with("bundle_bytes", costs.bundle_bytes)
}
