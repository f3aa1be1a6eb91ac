//! Where Clerk refuses, fails, drips or is asked too often: the client's patience, and whom it leaves room for.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::tests::{Server, USER, client, client_with};
use super::*;

#[tokio::test]
async fn d2_13_after_a_429_nobody_calls_before_the_time_that_clerk_named() {
    let server = Server::answering(429, "retry-after: 60\r\n", "").await;
    assert!(server.client.fetch_user("user_1").await.is_err());
    for client in [server.client.clone(), server.client.in_background()] {
        let Err(Error::RateLimited { retry_after: Some(wait) }) = client.fetch_user("user_2").await else {
            panic!("it is too early for anybody")
        };
        assert!(wait > Duration::from_secs(55), "{wait:?}");
    }
    assert_eq!(server.calls.lock().unwrap().len(), 1);
    let server = Server::answering(429, "retry-after: 1\r\n", "").await;
    assert!(server.client.fetch_user("user_1").await.is_err());
    let asked = Instant::now();
    assert!(server.client.fetch_user("user_2").await.is_err());
    assert!(asked.elapsed() > Duration::from_millis(900), "a short pause is waited for");
    assert_eq!(server.calls.lock().unwrap().len(), 2);
}

#[tokio::test]
async fn d2_14_a_clerk_that_only_fails_is_left_alone_by_all_but_one_and_keys_are_asked_for_all_the_same() {
    let server = Server::answering(500, "", "").await;
    for _ in 0..5 {
        assert!(matches!(server.client.fetch_user("user_1").await, Err(Error::UnavailableStatus(500))));
    }
    assert!(server.client.is_circuit_open());
    for _ in 0..20 {
        let error = server.client.in_background().count_users().await.unwrap_err();
        assert!(matches!(error, Error::CircuitOpen { .. }) && error.is_transient(), "{error:?}");
    }
    assert_eq!(server.calls.lock().unwrap().len(), 5);
    assert!(matches!(server.client.fetch_jwks().await, Err(Error::UnavailableStatus(500))));
    tokio::time::sleep(Duration::from_millis(1_250)).await;
    let asked = futures::future::join_all((0..10).map(|_| server.client.fetch_user("user_1"))).await;
    let probes = asked.iter().filter(|asked| matches!(asked, Err(Error::UnavailableStatus(500)))).count();
    assert_eq!((probes, server.calls.lock().unwrap().len()), (1, 7), "one goes ahead");
}

#[tokio::test]
async fn d2_14_a_probe_whose_caller_goes_away_leaves_the_way_to_another() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let client = client(&format!("http://{}/v1", listener.local_addr().unwrap()));
    let answer_with = async |text: &str| {
        let (mut stream, _) = listener.accept().await.unwrap();
        let _ = stream.read(&mut [0; 4096]).await;
        let _ = stream.write_all(format!("HTTP/1.1 {text}").as_bytes()).await;
    };
    for _ in 0..5 {
        let _ = tokio::join!(client.fetch_user("user_1"), answer_with("503 X\r\nconnection: close\r\n\r\n"));
    }
    tokio::time::sleep(Duration::from_millis(1_250)).await;
    let abandoned = tokio::time::timeout(Duration::from_millis(100), client.fetch_user("user_1")).await;
    assert!(abandoned.is_err() && client.is_circuit_open());
    let (_unanswered, _) = listener.accept().await.unwrap();
    let good = format!("200 X\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{USER}", USER.len());
    let (found, ()) = tokio::join!(client.fetch_user("user_1"), answer_with(&good));
    assert!(found.is_ok() && !client.is_circuit_open(), "{found:?}");
}

#[tokio::test]
async fn d2_13_who_would_wait_longer_than_a_call_may_take_is_told_so_at_once() {
    let server = Server::answering(200, "", USER).await;
    let client = client_with(server.client.api_url.as_str(), 10, Duration::from_millis(400));
    let asked = Instant::now();
    let answers = futures::future::join_all((0..30).map(|_| client.fetch_user("user_1"))).await;
    assert!(asked.elapsed() < Duration::from_millis(500), "{:?}", asked.elapsed());
    let made = answers.iter().filter(|answer| answer.is_ok()).count();
    assert!((2..=4).contains(&made), "{made} calls");
    for refused in answers.iter().filter_map(|answer| answer.as_ref().err()) {
        assert!(
            matches!(refused, Error::RateLimited { retry_after: Some(wait) } if *wait > Duration::from_millis(100)),
            "{refused:?}"
        );
    }
    assert_eq!(server.calls.lock().unwrap().len(), made);
}

#[tokio::test]
async fn d2_13_what_a_walk_asks_leaves_room_for_what_a_person_waits_for() {
    let server = Server::answering(200, "", USER).await;
    let client = client_with(server.client.api_url.as_str(), 30, Duration::from_millis(200));
    while client.in_background().fetch_user("user_1").await.is_ok() {}
    let is_held_back = |answer: Option<Error>| matches!(answer, Some(Error::RateLimited { .. }));
    assert!(is_held_back(client.list_users(500, None).await.err()));
    assert!(is_held_back(client.list_users_since(500, 0).await.err()));
    assert!(is_held_back(client.list_changed_users(500, 0).await.err()));
    assert!(is_held_back(client.list_users_by_id(&["user_1"]).await.err()));
    assert!(is_held_back(client.count_users_before(Timestamp::now()).await.err()));
    assert!(client.fetch_user("user_1").await.is_ok(), "somebody waits for this one");
}

#[tokio::test]
async fn d2_14_an_answer_that_drips_is_given_up_when_its_time_is_over() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let client =
        client_with(&format!("http://{}/v1", listener.local_addr().unwrap()), 1_000, Duration::from_millis(400));
    let dripping = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let _ = stream.read(&mut [0; 4096]).await;
        let _ = stream.write_all(b"HTTP/1.1 200 X\r\ncontent-length: 1000\r\n\r\n").await;
        // A byte now and then, for far longer than anybody should wait.
        for _ in 0..100 {
            tokio::time::sleep(Duration::from_millis(50)).await;
            if stream.write_all(b" ").await.is_err() {
                return;
            }
        }
        panic!("the whole answer was read");
    });
    let asked = Instant::now();
    let error = client.fetch_user("user_1").await.unwrap_err();
    assert!(error.is_transient() && asked.elapsed() < Duration::from_secs(3), "{error:?} {:?}", asked.elapsed());
    dripping.await.unwrap();
}
