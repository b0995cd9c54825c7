//! The network policy: which texts are rules, and what rules grant, attacks included.

use std::net::{IpAddr, SocketAddr};

use lithe_wasi::{Denied, Grants, HttpRule, NetPolicy, NetRule};

/// A policy with rules for sockets, and with those that begin with `http ` for requests.
fn policy(rules: &str) -> NetPolicy {
    let rules = rules.split(", ").filter(|rule| !rule.is_empty());
    rules.fold(NetPolicy::new(), |policy, rule| match rule.strip_prefix("http ") {
        Some(rule) => policy.allow_http(rule.parse().unwrap_or_else(|e| panic!("{rule}: {e}"))),
        None => policy.allow(rule.parse().unwrap_or_else(|e| panic!("{rule}: {e}"))),
    })
}

fn at(address: &str) -> SocketAddr {
    address.parse().unwrap_or_else(|_| panic!("{address}"))
}

fn ip(address: &str) -> IpAddr {
    address.parse().unwrap_or_else(|_| panic!("{address}"))
}

#[test]
fn rules_are_read_and_shown() {
    let same = [
        "tcp:10.0.0.1:5432",
        "tcp:*:*",
        "udp:*:53",
        "udp:10.0.0.0/8:*",
        "tcp:0.0.0.0/0:443",
        "tcp:[2001:db8::1]:80",
        "tcp:[fd00::/8]:8000-8010",
        "listen:localhost:8080",
        "listen:0.0.0.0:0",
        "listen:[::]:8080",
        "listen:*:1-65535",
        "tcp:db_1.example-2.com:1",
        "tcp:*.example.com:443",
        "tcp:xn--bcher-kva.example:443",
        "lookup:*",
        "lookup:*.example.com",
        "lookup:localhost",
    ];
    for text in same {
        let rule: NetRule = text.parse().unwrap_or_else(|e| panic!("{text}: {e}"));
        assert_eq!(rule.to_string(), text);
    }
    let other = [
        ("tcp:LOCALHOST.:80", "tcp:localhost:80"),
        ("tcp:Db.Example.COM:80", "tcp:db.example.com:80"),
        ("tcp:[::ffff:10.0.0.1]:80", "tcp:10.0.0.1:80"),
        ("tcp:[2001:DB8:0:0::1]:80", "tcp:[2001:db8::1]:80"),
        ("listen:[::ffff:0.0.0.0]:80", "listen:0.0.0.0:80"),
        ("udp:h:7-7", "udp:h:7"),
        ("listen:h:0", "listen:h:0"),
    ];
    for (text, shown) in other {
        let rule: NetRule = text.parse().unwrap_or_else(|e| panic!("{text}: {e}"));
        assert_eq!(rule.to_string(), shown);
    }
    for text in
        ["api.example.com", "api.example.com:8443", "*", "*:*", "*.a.b", "[::1]:80", "[::1]"]
    {
        let rule: HttpRule = text.parse().unwrap_or_else(|e| panic!("{text}: {e}"));
        assert_eq!(rule.to_string(), text);
    }
}

#[test]
fn what_is_no_rule_is_refused() {
    let label = "x".repeat(64);
    let long = format!("{}x", "x.".repeat(127));
    let texts = [
        "",
        "tcp",
        "tcp:",
        "tcp::",
        "tcp::80",
        "tcp:host",
        "tcp:host:",
        "TCP:host:80",
        "sctp:host:80",
        "tcp://host:80",
        "tcp:host:80/path",
        "tcp:user@host:80",
        "tcp:host:http",
        "tcp:host:65536",
        "tcp:host:+80",
        "tcp:host:-80",
        "tcp:host:080",
        "tcp:host:0",
        "tcp:host:0-10",
        "tcp:host:90-80",
        "tcp:host:80-",
        "tcp:host:80-90-100",
        "tcp:host: 80",
        "tcp: host:80",
        "tcp:ho st:80",
        "tcp:a..b:80",
        "tcp:.a:80",
        "tcp:a..:80",
        "tcp:*.:80",
        "tcp:*a:80",
        "tcp:a.*.b:80",
        "tcp:**:80",
        "tcp:bücher.example:80",
        "tcp:127.1:80",
        "tcp:0x7f.0.0.1:80",
        "tcp:0x7f000001:80",
        "tcp:0X7F:80",
        "tcp:0x:80",
        "tcp:2130706433:80",
        "tcp:0177.0.0.1:80",
        "tcp:127.0.0.01:80",
        "tcp:127.0.0.1.:80",
        "tcp:127.0.0.256:80",
        "tcp:1.2.3.4.5:80",
        "tcp:example.1:80",
        "tcp:10.0.0.1/8:80",
        "tcp:10.0.0.0/33:80",
        "tcp:10.0.0.0/:80",
        "tcp:10.0.0.0/+8:80",
        "tcp:10.0.0.0/08x:80",
        "tcp:1.0.0.0/0:80",
        "tcp:host/8:80",
        "tcp:[::ffff:10.0.0.0/104]:80",
        "tcp:[fd00::1/8]:80",
        "tcp:[fd00::/129]:80",
        "tcp:::1:80",
        "tcp:fd00::1:80",
        "tcp:[::1:80",
        "tcp:[::1]80",
        "tcp:[::1]",
        "tcp:[10.0.0.1]:80",
        "tcp:[fe80::1%eth0]:80",
        "tcp:[fe80::1%251]:80",
        "tcp:fe80::1%eth0:80",
        "tcp:0.0.0.0:80",
        "udp:[::]:80",
        "tcp:[::ffff:0.0.0.0]:80",
        "listen:host:0-10",
        "lookup:",
        "lookup:host:80",
        "lookup:10.0.0.1",
        "lookup:10.0.0.0/8",
        "lookup:[::1]",
        "lookup:0x7f.1",
        &format!("tcp:{label}:80"),
        &format!("tcp:{long}:80"),
    ];
    for text in texts {
        let rule = text.parse::<NetRule>();
        assert!(rule.is_err(), "{text}: {rule:?}");
        let sentence = rule.map(|_| ()).unwrap_err().to_string();
        assert!(sentence.starts_with("expected "), "{text}: {sentence}");
    }
    let texts = [
        "",
        ":80",
        "https://api.example.com",
        "api.example.com/",
        "api.example.com/v1",
        "user@api.example.com",
        "user:secret@api.example.com:80",
        "api.example.com:0",
        "api.example.com:99999",
        "::1",
        "[::1%lo]",
        "0x7f.1",
        "0.0.0.0",
        "api.example.com ",
    ];
    for text in texts {
        assert!(text.parse::<HttpRule>().is_err(), "{text}");
    }
}

/// Asks one question in words.
fn ask(policy: &NetPolicy, question: &str) -> Result<(), Denied> {
    let words: Vec<&str> = question.split(' ').collect();
    match words[..] {
        ["connect", address] => policy.tcp_connect(at(address)),
        ["send", address] => policy.udp_send(at(address)),
        ["bind", address] => policy.tcp_bind(at(address)),
        ["listen", address] => policy.tcp_listen(at(address)),
        ["udp-bind", address] => policy.udp_bind(at(address)),
        ["lookup", name] => policy.lookup(name),
        ["http", host, port] => policy.http(host, port.parse().unwrap()),
        ["request", host, address] => policy.http_address(host, at(address)),
        _ => panic!("{question}"),
    }
}

/// A question, and the flag that would make the answer yes.
type Denial = (&'static str, &'static str);

/// Rules, what they grant, and what they deny.
#[rustfmt::skip]
const GRANTED: &[(&str, &[&str], &[Denial])] = &[
    ("", &[], &[
        ("connect 10.0.0.1:80", "--net tcp:10.0.0.1:80"),
        ("connect [::1]:80", "--net tcp:[::1]:80"),
        ("connect 10.0.0.1:0", "--net tcp:10.0.0.1:*"),
        ("connect 0.0.0.0:80", "--net tcp:127.0.0.1:80"),
        ("send 10.0.0.1:53", "--net udp:10.0.0.1:53"),
        ("bind 0.0.0.0:0", "--net listen:0.0.0.0:0"),
        ("bind 127.0.0.1:80", "--net listen:127.0.0.1:80"),
        ("listen 127.0.0.1:80", "--net listen:127.0.0.1:80"),
        ("udp-bind 0.0.0.0:0", "--net listen:0.0.0.0:0"),
        ("lookup example.com", "--net lookup:example.com"),
        ("lookup Example.COM.", "--net lookup:example.com"),
        ("lookup localhost", "--net lookup:localhost"),
        ("http example.com 443", "--http example.com"),
        ("http example.com 8080", "--http example.com:8080"),
        ("http [::1] 80", "--http [::1]"),
        ("request example.com 93.184.215.14:443", "--http example.com"),
    ]),
    ("tcp:10.0.0.1:5432",
        &["connect 10.0.0.1:5432", "connect [::ffff:10.0.0.1]:5432", "bind 0.0.0.0:0", "bind [::]:0"], &[
        ("connect 10.0.0.1:5433", "--net tcp:10.0.0.1:5433"),
        ("connect 10.0.0.2:5432", "--net tcp:10.0.0.2:5432"),
        ("connect [::10.0.0.1]:5432", "--net tcp:[::a00:1]:5432"),
        ("connect [64:ff9b::10.0.0.1]:5432", "--net tcp:[64:ff9b::a00:1]:5432"),
        ("connect [2002:a00:1::]:5432", "--net tcp:[2002:a00:1::]:5432"),
        ("send 10.0.0.1:5432", "--net udp:10.0.0.1:5432"),
        ("bind 0.0.0.0:5432", "--net listen:0.0.0.0:5432"),
        ("bind 127.0.0.1:0", "--net listen:127.0.0.1:0"),
        ("listen 0.0.0.0:0", "--net listen:0.0.0.0:0"),
        ("udp-bind 0.0.0.0:0", "--net listen:0.0.0.0:0"),
    ]),
    ("tcp:[2001:db8::1]:80-82", &["connect [2001:db8::1]:80", "connect [2001:db8::1]:82"], &[
        ("connect [2001:db8::1]:83", "--net tcp:[2001:db8::1]:83"),
        ("connect [2001:db8::1]:79", "--net tcp:[2001:db8::1]:79"),
    ]),
    // The zone that an address comes with is not part of it.
    ("tcp:[fe80::1]:80", &["connect [fe80::1]:80", "connect [fe80::1%3]:80"], &[
        ("connect [fe80::2%3]:80", "--net tcp:[fe80::2]:80"),
    ]),
    ("tcp:10.0.0.0/8:*", &["connect 10.255.0.1:1", "connect [::ffff:10.0.0.0]:65535"], &[
        ("connect 11.0.0.1:1", "--net tcp:11.0.0.1:1"),
        ("connect [a00::]:1", "--net tcp:[a00::]:1"),
    ]),
    ("tcp:10.1.2.3/32:*", &["connect 10.1.2.3:1"], &[("connect 10.1.2.2:1", "--net tcp:10.1.2.2:1")]),
    ("tcp:[fd00::/8]:*", &["connect [fdff::1]:1"], &[("connect [fe00::1]:1", "--net tcp:[fe00::1]:1")]),
    ("tcp:0.0.0.0/0:80", &["connect 127.0.0.1:80", "connect 0.0.0.0:80"], &[
        ("connect [::1]:80", "--net tcp:[::1]:80"),
    ]),
    ("tcp:localhost:80",
        &["connect 127.0.0.1:80", "connect [::1]:80", "connect [::ffff:127.0.0.1]:80", "connect 0.0.0.0:80",
          "connect [::]:80", "lookup localhost", "lookup LOCALHOST."], &[
        ("connect 127.0.0.2:80", "--net tcp:127.0.0.2:80"),
        ("connect 192.168.0.1:80", "--net tcp:192.168.0.1:80"),
        ("lookup localhost.example.com", "--net lookup:localhost.example.com"),
    ]),
    // Everything, as with `-S inherit-network`; names are another matter.
    ("tcp:*:*, udp:*:*, listen:*:*",
        &["connect 127.0.0.1:1", "connect 169.254.169.254:80", "connect [fe80::1]:1", "connect 1.1.1.1:65535",
          "send 255.255.255.255:9", "send [ff02::1]:9", "bind 0.0.0.0:80", "listen [::]:0", "udp-bind 10.0.0.1:53",
          "lookup 127.0.0.1", "lookup ::1", "lookup [::1]"], &[
        ("lookup example.com", "--net lookup:example.com"),
        ("http example.com 80", "--http example.com"),
    ]),
    ("udp:8.8.8.8:53", &["send 8.8.8.8:53", "udp-bind 0.0.0.0:0"], &[
        ("connect 8.8.8.8:53", "--net tcp:8.8.8.8:53"),
        ("udp-bind 0.0.0.0:53", "--net listen:0.0.0.0:53"),
        ("bind 0.0.0.0:0", "--net listen:0.0.0.0:0"),
    ]),
    ("listen:localhost:8080", &["listen 127.0.0.1:8080", "bind [::1]:8080", "udp-bind 127.0.0.1:8080"], &[
        ("listen 0.0.0.0:8080", "--net listen:0.0.0.0:8080"),
        ("listen [::]:8080", "--net listen:[::]:8080"),
        ("listen 127.0.0.1:0", "--net listen:127.0.0.1:0"),
        ("connect 127.0.0.1:8080", "--net tcp:127.0.0.1:8080"),
    ]),
    ("listen:0.0.0.0:8080", &["listen 0.0.0.0:8080", "listen 127.0.0.1:8080", "listen [::ffff:0.0.0.0]:8080"], &[
        ("listen [::]:8080", "--net listen:[::]:8080"),
    ]),
    ("listen:127.0.0.1:0", &["listen 127.0.0.1:0", "bind 127.0.0.1:0"], &[
        ("listen 127.0.0.1:1", "--net listen:127.0.0.1:1"),
    ]),
    // A host's name grants its own lookup and no address by itself.
    ("tcp:db.example.com:5432", &["lookup db.example.com", "lookup DB.example.com."], &[
        ("lookup x.db.example.com", "--net lookup:x.db.example.com"),
        ("lookup example.com", "--net lookup:example.com"),
        ("connect 10.0.0.1:5432", "--net tcp:10.0.0.1:5432"),
        ("connect 127.0.0.1:5432", "--net tcp:127.0.0.1:5432"),
    ]),
    ("lookup:*.example.com", &["lookup a.example.com", "lookup a.b.EXAMPLE.com"], &[
        ("lookup example.com", "--net lookup:example.com"),
        ("lookup badexample.com", "--net lookup:badexample.com"),
        ("lookup a.example.com.evil.org", "--net lookup:a.example.com.evil.org"),
    ]),
    ("lookup:*", &["lookup a", "lookup localhost", "lookup xn--bcher-kva.example"], &[
        ("connect 10.0.0.1:80", "--net tcp:10.0.0.1:80"),
    ]),
    ("http api.example.com",
        &["http api.example.com 80", "http API.Example.com. 443", "request api.example.com 93.184.215.14:443",
          "request api.example.com 10.0.0.1:80"], &[
        ("http api.example.com 8080", "--http api.example.com:8080"),
        ("http example.com 80", "--http example.com"),
        ("http x.api.example.com 80", "--http x.api.example.com"),
        ("http 10.0.0.1 80", "--http 10.0.0.1"),
        ("request api.example.com 93.184.215.14:8080", "--http api.example.com:8080"),
        ("lookup api.example.com", "--net lookup:api.example.com"),
        ("connect 93.184.215.14:443", "--net tcp:93.184.215.14:443"),
    ]),
    ("http *",
        &["http example.com 80", "http example.com 443", "http 1.1.1.1 443", "http [2606:4700::1111] 443",
          "request example.com 93.184.215.14:443", "request example.com [64:ff9b::93.184.215.14]:443",
          "request localhost 93.184.215.14:443"], &[
        ("http example.com 8080", "--http example.com:8080"),
        ("http 127.0.0.1 80", "--http 127.0.0.1"),
        ("http 0.0.0.0 80", "--http 127.0.0.1"),
        ("http [::1] 80", "--http [::1]"),
        ("http :: 80", "--http [::1]"),
        ("http [::ffff:127.0.0.1] 80", "--http 127.0.0.1"),
        ("http ::ffff:169.254.169.254 80", "--http 169.254.169.254"),
        ("http 192.168.1.1 80", "--http 192.168.1.1"),
        ("http [fd00::1] 80", "--http [fd00::1]"),
        ("http [fe80::1] 80", "--http [fe80::1]"),
        ("http [64:ff9b::127.0.0.1] 80", "--http [64:ff9b::7f00:1]"),
        ("http [2002:7f00:1::] 80", "--http [2002:7f00:1::]"),
        ("http [::127.0.0.1] 80", "--http [::7f00:1]"),
        ("request localhost 127.0.0.1:80", "--http localhost"),
        ("request localhost. 127.0.0.1:80", "--http localhost"),
        ("request rebound.example 127.0.0.1:80", "--http rebound.example"),
        ("request rebound.example 0.0.0.0:80", "--http rebound.example"),
        ("request rebound.example [::ffff:10.0.0.1]:80", "--http rebound.example"),
        ("request rebound.example 169.254.169.254:80", "--http rebound.example"),
        ("request rebound.example 100.64.0.1:80", "--http rebound.example"),
        ("request rebound.example [fe80::1%2]:80", "--http rebound.example"),
        ("request rebound.example [64:ff9b::10.0.0.1]:80", "--http rebound.example"),
        ("request rebound.example [2001::1]:80", "--http rebound.example"),
        ("request rebound.example 224.0.0.1:80", "--http rebound.example"),
        ("request 1.1.1.1 10.0.0.1:80", "--http 1.1.1.1"),
    ]),
    ("http *.example.com:8443, http 10.0.0.0/8:*, http db.example.com:*",
        &["http a.example.com 8443", "request a.example.com 93.184.215.14:8443",
          "request a.example.com 10.0.0.1:8443", "http 10.0.0.1 1", "request 10.0.0.1 10.0.0.1:1",
          "request 10.0.0.1 [::ffff:10.0.0.1]:1", "request db.example.com 192.168.0.1:5"], &[
        ("request a.example.com 192.168.0.1:8443", "--http a.example.com:8443"),
        ("http example.com 8443", "--http example.com:8443"),
        ("http evil.org 80", "--http evil.org"),
        ("request evil.org 10.0.0.1:80", "--http evil.org"),
    ]),
    ("http localhost:3000",
        &["http localhost 3000", "http 127.0.0.1 3000", "http [::1] 3000", "request localhost 127.0.0.1:3000",
          "request LOCALHOST. [::1]:3000"], &[
        ("http localhost 80", "--http localhost"),
        ("http localhost.example.com 3000", "--http localhost.example.com:3000"),
        ("http 127.0.0.2 3000", "--http 127.0.0.2:3000"),
    ]),
];

#[test]
fn rules_grant_what_they_say() {
    for (rules, granted, denied) in GRANTED {
        let policy = policy(rules);
        for question in *granted {
            assert!(ask(&policy, question).is_ok(), "[{rules}] {question}");
        }
        assert!(policy.denials().list().is_empty(), "[{rules}]");
        for (question, grant) in *denied {
            let denied = ask(&policy, question).expect_err(&format!("[{rules}] {question}"));
            assert_eq!(denied.grant(), Some(*grant), "[{rules}] {question}");
        }
        // One that names a flag is right about it.
        for (question, grant) in *denied {
            let rule = grant.replace("--net ", "").replace("--http ", "http ");
            let more = self::policy(&rule);
            let mismatch = question.starts_with("request 1.1.1.1");
            assert!(mismatch || ask(&more, question).is_ok(), "[{rule}] {question}");
        }
    }
}

#[test]
fn what_is_no_host_is_always_denied() {
    let policy = policy("lookup:*, http *:*").allow_http_everywhere();
    let long = "x".repeat(100_000);
    let texts = [
        "",
        ".",
        "..",
        "a..b",
        "*",
        "*.example.com",
        "0x7f.1",
        "0177.0.0.1",
        "127.1",
        "2130706433",
        "127.0.0.1.",
        "127.0.0.1\0.example.com",
        "example.com\n",
        "user@example.com",
        "user:secret@example.com",
        "example.com:80",
        "example.com/",
        "http://example.com",
        "[::1",
        "::1]",
        "fe80::1%eth0",
        "[fe80::1%eth0]",
        "[127.0.0.1]",
        "ⓛocalhost",
        "bücher.example",
        "\u{202e}moc",
        &long,
    ];
    for text in texts {
        let denied = policy.lookup(text).expect_err(text);
        assert_eq!(denied.grant(), None, "{text}");
        assert!(denied.to_string().len() < 2000);
        assert!(policy.http(text, 80).is_err(), "{text}");
        assert!(policy.http_address(text, at("93.184.215.14:80")).is_err(), "{text}");
    }
    assert!(policy.denials().list().iter().all(|denial| denial.attempt.len() < 1000));
}

#[test]
fn names_grant_the_addresses_that_lookups_gave() {
    let policy = policy("tcp:db.example.com:5432, tcp:*.svc.example.com:443, lookup:*");
    policy.resolved("db.example.com", [ip("10.0.0.7"), ip("::ffff:10.0.0.8"), ip("2001:db8::7")]);
    policy.resolved("A.svc.example.com.", [ip("93.184.215.14"), ip("10.0.0.9"), ip("127.0.0.1")]);
    policy.resolved("evil.org", [ip("10.0.0.66")]);
    policy.resolved("169.254.169.254", [ip("169.254.169.254")]);
    for granted in [
        "10.0.0.7:5432",
        "[::ffff:10.0.0.7]:5432",
        "10.0.0.8:5432",
        "[2001:db8::7]:5432",
        "93.184.215.14:443",
    ] {
        assert!(policy.tcp_connect(at(granted)).is_ok(), "{granted}");
    }
    let denied = [
        ("10.0.0.7:443", "--net tcp:db.example.com:443"),
        ("93.184.215.14:5432", "--net tcp:a.svc.example.com:5432"),
        // Whoever may choose a name may not choose these addresses.
        ("10.0.0.9:443", "--net tcp:a.svc.example.com:443"),
        ("127.0.0.1:443", "--net tcp:a.svc.example.com:443"),
        ("10.0.0.66:5432", "--net tcp:evil.org:5432"),
        ("169.254.169.254:443", "--net tcp:169.254.169.254:443"),
        ("10.0.0.7:0", "--net tcp:db.example.com:*"),
    ];
    for (address, grant) in denied {
        let denied = policy.tcp_connect(at(address)).expect_err(address);
        assert_eq!(denied.grant(), Some(grant), "{address}");
    }
    // Another guest with the same grants knows nothing of these lookups.
    let other = policy.clone();
    assert!(other.tcp_connect(at("10.0.0.7:5432")).is_err());
    assert_eq!(other.denials().list(), policy.denials().list());
}

#[test]
fn answers_that_change_are_all_remembered_up_to_a_limit() {
    let policy = policy("tcp:db.example.com:5432, lookup:*");
    policy.resolved("db.example.com", [ip("10.0.0.1")]);
    policy.resolved("db.example.com", [ip("10.0.0.2")]);
    assert!(policy.tcp_connect(at("10.0.0.1:5432")).is_ok());
    assert!(policy.tcp_connect(at("10.0.0.2:5432")).is_ok());
    for n in 0..5000u32 {
        policy.resolved(&format!("n{n}.example.org"), [IpAddr::from(n.to_be_bytes())]);
    }
    assert!(policy.tcp_connect(at("10.0.0.1:5432")).is_err());
    policy.resolved("db.example.com", [ip("10.0.0.1")]);
    assert!(policy.tcp_connect(at("10.0.0.1:5432")).is_ok());
}

#[test]
fn http_everywhere_is_everywhere() {
    let policy = NetPolicy::new().allow_http_everywhere();
    for question in [
        "http localhost 1",
        "http 169.254.169.254 80",
        "request localhost 127.0.0.1:1",
        "request rebound.example 10.0.0.1:80",
        "request 10.0.0.1 10.0.0.1:80",
    ] {
        assert!(ask(&policy, question).is_ok(), "{question}");
    }
    assert!(ask(&policy, "connect 127.0.0.1:1").is_err());
}

#[test]
fn a_protocol_that_is_off_stays_off() {
    let policy = policy("tcp:*:*, udp:*:*, listen:*:*").without_tcp();
    for question in ["connect 1.1.1.1:1", "bind 0.0.0.0:0", "listen 127.0.0.1:80"] {
        assert_eq!(ask(&policy, question).unwrap_err().grant(), Some("-S tcp=y"), "{question}");
    }
    assert!(ask(&policy, "send 1.1.1.1:1").is_ok());
    assert!(ask(&policy, "udp-bind 1.1.1.1:1").is_ok());
    let policy = policy.without_udp();
    assert!(ask(&policy, "send 1.1.1.1:1").is_err());
    assert!(ask(&policy, "udp-bind 0.0.0.0:0").is_err());
}

#[test]
fn grants_show_their_rules() {
    let grants = NetRule::everything().into_iter().fold(Grants::new(), Grants::net);
    let grants = grants.net(NetRule::every_lookup()).http("*:*".parse().unwrap());
    let text = grants.config_var("key", "secret").to_string();
    for line in
        ["net       tcp:*:*\n", "net       lookup:*\n", "http      *:*\n", "var       \"key\"\n"]
    {
        assert!(text.contains(line), "{line} in {text}");
    }
    assert!(!text.contains("secret"));
    let nothing = Grants::new().to_string();
    assert!(nothing.contains("net       none\n") && nothing.contains("http      none\n"));
}
