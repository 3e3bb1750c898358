use super::*;
use eleven_api::client::Client;
use eleven_api::serve::Listener;

#[tokio::test]
async fn a_piece_that_waits_when_a_stream_is_over_is_not_delivered() {
    let (send, pieces) = mpsc::channel(1);
    let delivered = Arc::new(Mutex::new(Delivered::default()));
    let mut body = Passing::new(pieces, Arc::clone(&delivered));
    send.send(Ok(Bytes::from_static(b"one"))).await.expect("room");
    let first = body.frame().await.expect("a frame").expect("whole").into_data().expect("data");
    assert_eq!((first.as_ref(), delivered.lock().expect("lock").bytes), (&b"one"[..], 3));
    send.send(Ok(Bytes::from_static(b"two"))).await.expect("room");
    delivered.lock().expect("lock").over = true;
    assert!(body.frame().await.expect("a frame").is_err());
    assert_eq!(
        delivered.lock().expect("lock").clone().with(&Bytes::new(), StatusCode::OK).bytes,
        3,
        "what the evidence says"
    );
}

#[tokio::test]
async fn what_a_connection_took_before_a_stream_broke_off_reaches_the_caller() {
    let (stop, stopping) = tokio::sync::watch::channel(false);
    let listener = Listener::bind(([127, 0, 0, 1], 0).into(), None).await.expect("a socket");
    let at = listener.local_addr().expect("an address");
    let delivered = Arc::new(Mutex::new(Delivered::default()));
    let counted = Arc::clone(&delivered);
    let router = axum::Router::new().fallback(move || {
        // All of it is there before the connection asks for the first piece.
        let (send, pieces) = mpsc::channel(2);
        send.try_send(Ok(Bytes::from_static(b"one"))).expect("room");
        send.try_send(Err(std::io::Error::other("broken off"))).expect("room");
        std::future::ready(Response::new(axum::body::Body::new(Passing::new(pieces, counted))))
    });
    let serving = tokio::spawn(listener.serve(router, stopping, Duration::ZERO));
    let request = Request::get(format!("http://{at}/")).body(Full::new(Bytes::new())).expect("a request");
    let mut body = Client::new().send(request).await.expect("the head").into_body();
    let first = body.frame().await.expect("a frame").expect("whole").into_data().expect("data");
    assert_eq!((first.as_ref(), delivered.lock().expect("lock").bytes), (&b"one"[..], 3));
    assert!(body.frame().await.expect("not the end").is_err(), "it never looks whole");
    stop.send_replace(true);
    serving.await.expect("ended");
}
