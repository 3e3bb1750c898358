use super::*;

#[test]
fn an_exchange_and_its_answer_are_read_as_they_were_written_and_no_other_kind_is() {
    let exchange = Exchange { secret: "elk_app_secret".into() }.to_value();
    let issued = Issued { token: "t".into(), expires_in: 900 }.to_value();
    assert_eq!(Exchange::read(&exchange.canonical()).expect("of its form").to_value(), exchange);
    assert_eq!(Issued::read(&issued.canonical()).expect("of its form").to_value(), issued);
    let other =
        |value: &Value, name: &str| value.as_object().cloned().expect("an object").with(name, "another").canonical();
    for name in ["grant_type", "subject_token_type", "zz"] {
        assert!(Exchange::read(&other(&exchange, name)).is_err(), "{name}");
    }
    for name in ["issued_token_type", "token_type", "zz"] {
        assert!(Issued::read(&other(&issued, name)).is_err(), "{name}");
    }
}
