use super::*;

#[test]
fn a_machine_hears_of_a_domain_that_is_kept_what_an_openai_client_takes() {
    let (config, proofs) = (Path::new("/tmp/d/eleven.toml"), Path::new("/tmp/p"));
    let said = is_kept("http://127.0.0.1:1113", "a secret", config, proofs);
    let text = |name: &str| said.get(name).and_then(Value::as_str);
    assert_eq!((text("base_url"), text("api_key")), (Some("http://127.0.0.1:1113/v1"), Some("a secret")));
    assert_eq!((text("config"), text("proofs")), (config.to_str(), proofs.to_str()));
}
