use crate::compile::tests::SCHEMA;
use crate::fixtures::{bundle, bundle_value, input};
use crate::{CompiledPolicy, Decision, PolicyError, Replay, bounds, decide, replay};
use eleven_core::encoding::Value;
use eleven_core::limits::MAX_RULE;
use eleven_core::policy::PolicyBundle;

/// Stacks in KiB: a small thread's, that of a worker, and more than a main thread has.
const STACKS: [usize; 3] = [512, 2 * 1024, 16 * 1024];

/// What `work` comes to on a thread with such a stack.
fn on_a_stack_of<T: Send>(kib: usize, work: impl FnOnce() -> T + Send) -> T {
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().stack_size(kib * 1024).spawn_scoped(scope, work);
        thread.unwrap().join().unwrap()
    })
}

/// A rule whose condition is `body`: its head has two signs.
fn rule(body: &str) -> String {
    format!("permit(principal, action, resource) when {{ {body} }};")
}

/// Rules with as many signs as one may have, in the ways that go deepest. Each permits.
fn deepest() -> Vec<String> {
    let most = MAX_RULE - 2;
    let nested = |open: &str, inner: &str, close: &str, times: usize| {
        format!("{}{inner}{}", open.repeat(times), close.repeat(times))
    };
    let bodies = [
        nested("(", "true", ")", most),
        nested("", "true", " && true", most),
        nested("", "true", " || context.op.name == \"\"", most / 4),
        nested("(context.op.name == \"\" || ", "true", ")", most / 5),
        nested("if true then ", "true", " else false", most),
        nested("!(", "false", ")", most / 2),
        nested("(", "true", " != false)", most / 2),
        nested("", "1", " + 0", most - 1) + " == 1",
        nested("(1 + ", "0", ")", most / 2 - 1) + " > 0",
        format!("!{}.isEmpty()", nested("[", "1", "]", most - 3)),
        nested("{a: ", "true", "}", most / 2) + &".a".repeat(most / 2),
    ];
    bodies.iter().map(|body| rule(body)).collect()
}

#[test]
fn a_verdict_does_not_depend_on_the_stack() {
    for cedar in deepest() {
        let bundle = bundle(&cedar);
        let signs = bounds::signs(&bundle).unwrap();
        assert!((MAX_RULE - 4..=MAX_RULE).contains(&signs), "{signs} of {cedar}");
        let asked = input(&bundle.id(), "{}");
        for kib in STACKS {
            let (decided, replayed) = on_a_stack_of(kib, || {
                let policy = CompiledPolicy::compile(&bundle).unwrap();
                (decide(&policy, &asked), replay(&bundle, &asked.to_value()))
            });
            assert!(matches!(decided, Decision::Permit { .. }), "{kib} KiB: {decided:?}");
            assert_eq!(replayed, Replay::Permits, "{kib} KiB: {cedar}");
        }
    }
}

#[test]
fn what_validates_does_not_depend_on_the_stack() {
    for cedar in deepest() {
        let bundle = PolicyBundle::read(Value::Object(bundle_value(&cedar).with("schema", SCHEMA))).unwrap();
        for kib in STACKS {
            let compiled = on_a_stack_of(kib, || CompiledPolicy::compile(&bundle).map(drop));
            assert_eq!(compiled, Ok(()), "{kib} KiB: {cedar}");
        }
    }
}

#[test]
fn what_would_overflow_any_stack_is_not_read() {
    let models: Vec<String> = (0..600).map(|n| format!("context.op.model == \"m{n}\"")).collect();
    let texts = [
        rule(&format!("context.op has model && ({})", models.join(" || "))),
        rule(&format!("{}true{}", "(".repeat(100_000), ")".repeat(100_000))),
        rule(&format!("{}{}", "[".repeat(100_000), "]".repeat(100_000))),
        rule(&format!("true{}", " || true".repeat(30_000))),
        rule(&format!("{{a: true}}{}", ".a".repeat(100_000))),
        // Brackets that match each other as they stand, and may not where a parser goes on after an error.
        rule(&format!("{}true{}", "{x}:".repeat(20_000), ",@{:1}".repeat(20_000))),
    ];
    for cedar in texts {
        let bundle = bundle(&cedar);
        let compiled = on_a_stack_of(512, || CompiledPolicy::compile(&bundle).map(drop));
        assert!(matches!(compiled, Err(PolicyError::Size(_))), "{compiled:?}");
    }
    let nested = format!("type T = {}Long{};{SCHEMA}", "Set<".repeat(5_000), ">".repeat(5_000));
    let value = bundle_value("permit(principal, action, resource);").with("schema", nested);
    let bundle = PolicyBundle::read(Value::Object(value)).unwrap();
    let compiled = on_a_stack_of(512, || CompiledPolicy::compile(&bundle).map(drop));
    assert!(matches!(compiled, Err(PolicyError::Size(_))), "{compiled:?}");
}
