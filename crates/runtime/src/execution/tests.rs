use super::*;

#[tokio::test]
async fn a_piece_that_waits_when_a_stream_is_over_is_not_delivered() {
    let (send, pieces) = mpsc::channel(1);
    let delivered = Arc::new(Mutex::new(Delivered::default()));
    let mut body = Passing { pieces, delivered: Arc::clone(&delivered) };
    send.send(Ok(Bytes::from_static(b"one"))).await.expect("room");
    let first = body.frame().await.expect("a frame").expect("whole").into_data().expect("data");
    assert_eq!((first.as_ref(), delivered.lock().expect("lock").bytes), (&b"one"[..], 3));
    send.send(Ok(Bytes::from_static(b"two"))).await.expect("room");
    delivered.lock().expect("lock").over = true;
    assert!(body.frame().await.expect("a frame").is_err());
    assert_eq!(delivered.lock().expect("lock").clone().with(&Bytes::new()).1, 3, "what the evidence says");
}
