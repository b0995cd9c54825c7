;; Imports every function of wasi:sockets, each with the type that WASI 0.2.12 gives it, and breaks rules about resources.
(component
  (import "wasi:io/error@0.2.12" (instance $error (export "error" (type (sub resource)))))
  (alias export $error "error" (type $io-error))
  (import "wasi:io/poll@0.2.12" (instance $poll (export "pollable" (type (sub resource)))))
  (alias export $poll "pollable" (type $pollable))
  (import "wasi:io/streams@0.2.12" (instance $streams
    (export "input-stream" (type (sub resource)))
    (export "output-stream" (type (sub resource)))))
  (alias export $streams "input-stream" (type $input-stream))
  (alias export $streams "output-stream" (type $output-stream))

  (import "wasi:sockets/network@0.2.12" (instance $network
    (export "error" (type $error (eq $io-error)))
    (export "network" (type (sub resource)))
    (type $codes (enum
      "unknown" "access-denied" "not-supported" "invalid-argument" "out-of-memory" "timeout"
      "concurrency-conflict" "not-in-progress" "would-block" "invalid-state" "new-socket-limit"
      "address-not-bindable" "address-in-use" "remote-unreachable" "connection-refused" "connection-reset"
      "connection-aborted" "datagram-too-large" "name-unresolvable" "temporary-resolver-failure"
      "permanent-resolver-failure"))
    (export "error-code" (type $code (eq $codes)))
    (type $families (enum "ipv4" "ipv6"))
    (export "ip-address-family" (type (eq $families)))
    (type $v4 (tuple u8 u8 u8 u8))
    (export "ipv4-address" (type $ipv4 (eq $v4)))
    (type $v6 (tuple u16 u16 u16 u16 u16 u16 u16 u16))
    (export "ipv6-address" (type $ipv6 (eq $v6)))
    (type $ip (variant (case "ipv4" $ipv4) (case "ipv6" $ipv6)))
    (export "ip-address" (type (eq $ip)))
    (type $v4-socket (record (field "port" u16) (field "address" $ipv4)))
    (export "ipv4-socket-address" (type $ipv4-socket (eq $v4-socket)))
    (type $v6-socket (record
      (field "port" u16) (field "flow-info" u32) (field "address" $ipv6) (field "scope-id" u32)))
    (export "ipv6-socket-address" (type $ipv6-socket (eq $v6-socket)))
    (type $ip-socket (variant (case "ipv4" $ipv4-socket) (case "ipv6" $ipv6-socket)))
    (export "ip-socket-address" (type (eq $ip-socket)))
    (export "network-error-code" (func (param "err" (borrow $error)) (result (option $code))))))
  (alias export $network "network" (type $network-type))
  (alias export $network "error-code" (type $error-code))
  (alias export $network "ip-address-family" (type $ip-address-family))
  (alias export $network "ip-address" (type $ip-address))
  (alias export $network "ip-socket-address" (type $ip-socket-address))

  (import "wasi:sockets/instance-network@0.2.12" (instance $instance-network
    (export "network" (type $network (eq $network-type)))
    (export "instance-network" (func (result (own $network))))))

  (import "wasi:sockets/ip-name-lookup@0.2.12" (instance $lookup
    (export "pollable" (type $pollable' (eq $pollable)))
    (export "network" (type $network (eq $network-type)))
    (export "error-code" (type $code (eq $error-code)))
    (export "ip-address" (type $ip (eq $ip-address)))
    (export "resolve-address-stream" (type $stream (sub resource)))
    (export "[method]resolve-address-stream.resolve-next-address"
      (func (param "self" (borrow $stream)) (result (result (option $ip) (error $code)))))
    (export "[method]resolve-address-stream.subscribe"
      (func (param "self" (borrow $stream)) (result (own $pollable'))))
    (export "resolve-addresses"
      (func (param "network" (borrow $network)) (param "name" string)
        (result (result (own $stream) (error $code)))))))

  (import "wasi:sockets/tcp@0.2.12" (instance $tcp
    (export "input-stream" (type $input (eq $input-stream)))
    (export "output-stream" (type $output (eq $output-stream)))
    (export "pollable" (type $pollable' (eq $pollable)))
    (export "network" (type $network (eq $network-type)))
    (export "error-code" (type $code (eq $error-code)))
    (export "ip-socket-address" (type $address (eq $ip-socket-address)))
    (export "ip-address-family" (type $family (eq $ip-address-family)))
    (type $nanoseconds u64)
    (export "duration" (type $duration (eq $nanoseconds)))
    (type $how (enum "receive" "send" "both"))
    (export "shutdown-type" (type $shutdown (eq $how)))
    (export "tcp-socket" (type $tcp-socket (sub resource)))
    (export "[method]tcp-socket.start-bind"
      (func (param "self" (borrow $tcp-socket)) (param "network" (borrow $network)) (param "local-address" $address) (result (result (error $code)))))
    (export "[method]tcp-socket.finish-bind"
      (func (param "self" (borrow $tcp-socket)) (result (result (error $code)))))
    (export "[method]tcp-socket.start-connect"
      (func (param "self" (borrow $tcp-socket)) (param "network" (borrow $network)) (param "remote-address" $address) (result (result (error $code)))))
    (export "[method]tcp-socket.finish-connect"
      (func (param "self" (borrow $tcp-socket)) (result (result (tuple (own $input) (own $output)) (error $code)))))
    (export "[method]tcp-socket.start-listen"
      (func (param "self" (borrow $tcp-socket)) (result (result (error $code)))))
    (export "[method]tcp-socket.finish-listen"
      (func (param "self" (borrow $tcp-socket)) (result (result (error $code)))))
    (export "[method]tcp-socket.accept"
      (func (param "self" (borrow $tcp-socket)) (result (result (tuple (own $tcp-socket) (own $input) (own $output)) (error $code)))))
    (export "[method]tcp-socket.local-address"
      (func (param "self" (borrow $tcp-socket)) (result (result $address (error $code)))))
    (export "[method]tcp-socket.remote-address"
      (func (param "self" (borrow $tcp-socket)) (result (result $address (error $code)))))
    (export "[method]tcp-socket.is-listening"
      (func (param "self" (borrow $tcp-socket)) (result bool)))
    (export "[method]tcp-socket.address-family"
      (func (param "self" (borrow $tcp-socket)) (result $family)))
    (export "[method]tcp-socket.set-listen-backlog-size"
      (func (param "self" (borrow $tcp-socket)) (param "value" u64) (result (result (error $code)))))
    (export "[method]tcp-socket.keep-alive-enabled"
      (func (param "self" (borrow $tcp-socket)) (result (result bool (error $code)))))
    (export "[method]tcp-socket.set-keep-alive-enabled"
      (func (param "self" (borrow $tcp-socket)) (param "value" bool) (result (result (error $code)))))
    (export "[method]tcp-socket.keep-alive-idle-time"
      (func (param "self" (borrow $tcp-socket)) (result (result $duration (error $code)))))
    (export "[method]tcp-socket.set-keep-alive-idle-time"
      (func (param "self" (borrow $tcp-socket)) (param "value" $duration) (result (result (error $code)))))
    (export "[method]tcp-socket.keep-alive-interval"
      (func (param "self" (borrow $tcp-socket)) (result (result $duration (error $code)))))
    (export "[method]tcp-socket.set-keep-alive-interval"
      (func (param "self" (borrow $tcp-socket)) (param "value" $duration) (result (result (error $code)))))
    (export "[method]tcp-socket.keep-alive-count"
      (func (param "self" (borrow $tcp-socket)) (result (result u32 (error $code)))))
    (export "[method]tcp-socket.set-keep-alive-count"
      (func (param "self" (borrow $tcp-socket)) (param "value" u32) (result (result (error $code)))))
    (export "[method]tcp-socket.hop-limit"
      (func (param "self" (borrow $tcp-socket)) (result (result u8 (error $code)))))
    (export "[method]tcp-socket.set-hop-limit"
      (func (param "self" (borrow $tcp-socket)) (param "value" u8) (result (result (error $code)))))
    (export "[method]tcp-socket.receive-buffer-size"
      (func (param "self" (borrow $tcp-socket)) (result (result u64 (error $code)))))
    (export "[method]tcp-socket.set-receive-buffer-size"
      (func (param "self" (borrow $tcp-socket)) (param "value" u64) (result (result (error $code)))))
    (export "[method]tcp-socket.send-buffer-size"
      (func (param "self" (borrow $tcp-socket)) (result (result u64 (error $code)))))
    (export "[method]tcp-socket.set-send-buffer-size"
      (func (param "self" (borrow $tcp-socket)) (param "value" u64) (result (result (error $code)))))
    (export "[method]tcp-socket.subscribe"
      (func (param "self" (borrow $tcp-socket)) (result (own $pollable'))))
    (export "[method]tcp-socket.shutdown"
      (func (param "self" (borrow $tcp-socket)) (param "shutdown-type" $shutdown) (result (result (error $code)))))))
  (import "wasi:sockets/udp@0.2.12" (instance $udp
    (export "pollable" (type $pollable' (eq $pollable)))
    (export "network" (type $network (eq $network-type)))
    (export "error-code" (type $code (eq $error-code)))
    (export "ip-socket-address" (type $address (eq $ip-socket-address)))
    (export "ip-address-family" (type $family (eq $ip-address-family)))
    (type $in (record (field "data" (list u8)) (field "remote-address" $address)))
    (export "incoming-datagram" (type $incoming (eq $in)))
    (type $out (record (field "data" (list u8)) (field "remote-address" (option $address))))
    (export "outgoing-datagram" (type $outgoing (eq $out)))
    (export "udp-socket" (type $udp-socket (sub resource)))
    (export "incoming-datagram-stream" (type $incoming-datagram-stream (sub resource)))
    (export "outgoing-datagram-stream" (type $outgoing-datagram-stream (sub resource)))
    (export "[method]udp-socket.start-bind"
      (func (param "self" (borrow $udp-socket)) (param "network" (borrow $network)) (param "local-address" $address) (result (result (error $code)))))
    (export "[method]udp-socket.finish-bind"
      (func (param "self" (borrow $udp-socket)) (result (result (error $code)))))
    (export "[method]udp-socket.stream"
      (func (param "self" (borrow $udp-socket)) (param "remote-address" (option $address)) (result (result (tuple (own $incoming-datagram-stream) (own $outgoing-datagram-stream)) (error $code)))))
    (export "[method]udp-socket.local-address"
      (func (param "self" (borrow $udp-socket)) (result (result $address (error $code)))))
    (export "[method]udp-socket.remote-address"
      (func (param "self" (borrow $udp-socket)) (result (result $address (error $code)))))
    (export "[method]udp-socket.address-family"
      (func (param "self" (borrow $udp-socket)) (result $family)))
    (export "[method]udp-socket.unicast-hop-limit"
      (func (param "self" (borrow $udp-socket)) (result (result u8 (error $code)))))
    (export "[method]udp-socket.set-unicast-hop-limit"
      (func (param "self" (borrow $udp-socket)) (param "value" u8) (result (result (error $code)))))
    (export "[method]udp-socket.receive-buffer-size"
      (func (param "self" (borrow $udp-socket)) (result (result u64 (error $code)))))
    (export "[method]udp-socket.set-receive-buffer-size"
      (func (param "self" (borrow $udp-socket)) (param "value" u64) (result (result (error $code)))))
    (export "[method]udp-socket.send-buffer-size"
      (func (param "self" (borrow $udp-socket)) (result (result u64 (error $code)))))
    (export "[method]udp-socket.set-send-buffer-size"
      (func (param "self" (borrow $udp-socket)) (param "value" u64) (result (result (error $code)))))
    (export "[method]udp-socket.subscribe"
      (func (param "self" (borrow $udp-socket)) (result (own $pollable'))))
    (export "[method]incoming-datagram-stream.receive"
      (func (param "self" (borrow $incoming-datagram-stream)) (param "max-results" u64) (result (result (list $incoming) (error $code)))))
    (export "[method]incoming-datagram-stream.subscribe"
      (func (param "self" (borrow $incoming-datagram-stream)) (result (own $pollable'))))
    (export "[method]outgoing-datagram-stream.check-send"
      (func (param "self" (borrow $outgoing-datagram-stream)) (result (result u64 (error $code)))))
    (export "[method]outgoing-datagram-stream.send"
      (func (param "self" (borrow $outgoing-datagram-stream)) (param "datagrams" (list $outgoing)) (result (result u64 (error $code)))))
    (export "[method]outgoing-datagram-stream.subscribe"
      (func (param "self" (borrow $outgoing-datagram-stream)) (result (own $pollable'))))))
  (alias export $tcp "tcp-socket" (type $tcp-socket))
  (alias export $udp "udp-socket" (type $udp-socket))
  (alias export $udp "incoming-datagram-stream" (type $incoming-stream))
  (alias export $udp "outgoing-datagram-stream" (type $outgoing-stream))

  (import "wasi:sockets/tcp-create-socket@0.2.12" (instance $create-tcp
    (export "error-code" (type $code (eq $error-code)))
    (export "ip-address-family" (type $family (eq $ip-address-family)))
    (export "tcp-socket" (type $socket (eq $tcp-socket)))
    (export "create-tcp-socket" (func (param "address-family" $family) (result (result (own $socket) (error $code)))))))
  (import "wasi:sockets/udp-create-socket@0.2.12" (instance $create-udp
    (export "error-code" (type $code (eq $error-code)))
    (export "ip-address-family" (type $family (eq $ip-address-family)))
    (export "udp-socket" (type $socket (eq $udp-socket)))
    (export "create-udp-socket" (func (param "address-family" $family) (result (result (own $socket) (error $code)))))))

  (core module $memory-module (memory (export "memory") 1))
  (core instance $memory (instantiate $memory-module))
  (alias core export $memory "memory" (core memory $mem))
  (core func $instance-network (canon lower (func $instance-network "instance-network")))
  (core func $create-tcp (canon lower (func $create-tcp "create-tcp-socket") (memory $mem)))
  (core func $create-udp (canon lower (func $create-udp "create-udp-socket") (memory $mem)))
  (core func $subscribe (canon lower (func $tcp "[method]tcp-socket.subscribe")))
  (core func $start-bind (canon lower (func $udp "[method]udp-socket.start-bind") (memory $mem)))
  (core func $finish-bind (canon lower (func $udp "[method]udp-socket.finish-bind") (memory $mem)))
  (core func $stream (canon lower (func $udp "[method]udp-socket.stream") (memory $mem)))
  (core func $check-send (canon lower (func $udp "[method]outgoing-datagram-stream.check-send") (memory $mem)))
  (core func $send (canon lower (func $udp "[method]outgoing-datagram-stream.send") (memory $mem)))
  (core func $drop-tcp (canon resource.drop $tcp-socket))
  (core func $drop-pollable (canon resource.drop $pollable))
  (core func $drop-udp (canon resource.drop $udp-socket))
  (core func $drop-incoming (canon resource.drop $incoming-stream))
  (core func $drop-outgoing (canon resource.drop $outgoing-stream))

  (core module $main-module
    (import "" "memory" (memory 1))
    (import "" "instance-network" (func $instance-network (result i32)))
    (import "" "create-tcp" (func $create-tcp (param i32 i32)))
    (import "" "create-udp" (func $create-udp (param i32 i32)))
    (import "" "subscribe" (func $subscribe (param i32) (result i32)))
    (import "" "start-bind" (func $start-bind (param i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32)))
    (import "" "finish-bind" (func $finish-bind (param i32 i32)))
    (import "" "stream" (func $stream (param i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32)))
    (import "" "check-send" (func $check-send (param i32 i32)))
    (import "" "send" (func $send (param i32 i32 i32 i32)))
    (import "" "drop-tcp" (func $drop-tcp (param i32)))
    (import "" "drop-pollable" (func $drop-pollable (param i32)))
    (import "" "drop-udp" (func $drop-udp (param i32)))
    (import "" "drop-incoming" (func $drop-incoming (param i32)))
    (import "" "drop-outgoing" (func $drop-outgoing (param i32)))
    (global $socket (mut i32) (i32.const 0))
    ;; Results are written to 64; an error ends the test.
    (func $ok (if (i32.load8_u (i32.const 64)) (then unreachable)))
    (func $value (result i32) (call $ok) (i32.load (i32.const 68)))
    (func $open-udp
      (call $create-udp (i32.const 0) (i32.const 64))
      (global.set $socket (call $value))
      ;; 127.0.0.1, port 0
      (call $start-bind (global.get $socket) (call $instance-network) (i32.const 0) (i32.const 0)
        (i32.const 127) (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 0) (i32.const 0) (i32.const 0)
        (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 64))
      (call $ok)
      (call $finish-bind (global.get $socket) (i32.const 64))
      (call $ok))
    (func $open-streams
      (call $stream (global.get $socket) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0)
        (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0)
        (i32.const 0) (i32.const 64))
      (call $ok))
    (func $incoming (result i32) (i32.load (i32.const 68)))
    (func $outgoing (result i32) (i32.load (i32.const 72)))
    (func (export "in-order") (local $incoming i32) (local $outgoing i32)
      (call $open-udp)
      (call $open-streams)
      (local.set $incoming (call $incoming))
      (local.set $outgoing (call $outgoing))
      (call $check-send (local.get $outgoing) (i32.const 64))
      (call $ok)
      (call $drop-outgoing (local.get $outgoing))
      (call $drop-incoming (local.get $incoming))
      (call $open-streams)
      (call $drop-outgoing (call $outgoing))
      (call $drop-incoming (call $incoming))
      (call $drop-udp (global.get $socket)))
    (func (export "socket-before-streams")
      (call $open-udp)
      (call $open-streams)
      (call $drop-udp (global.get $socket)))
    (func (export "stream-twice")
      (call $open-udp)
      (call $open-streams)
      (call $open-streams))
    (func (export "send-unpermitted")
      (call $open-udp)
      (call $open-streams)
      (call $send (call $outgoing) (i32.const 1024) (i32.const 1) (i32.const 64)))
    (func (export "socket-before-pollable")
      (call $create-tcp (i32.const 1) (i32.const 64))
      (drop (call $subscribe (call $value)))
      (call $drop-tcp (call $value))))
  (core instance $main (instantiate $main-module (with "" (instance
    (export "memory" (memory $mem))
    (export "instance-network" (func $instance-network))
    (export "create-tcp" (func $create-tcp))
    (export "create-udp" (func $create-udp))
    (export "subscribe" (func $subscribe))
    (export "start-bind" (func $start-bind))
    (export "finish-bind" (func $finish-bind))
    (export "stream" (func $stream))
    (export "check-send" (func $check-send))
    (export "send" (func $send))
    (export "drop-tcp" (func $drop-tcp))
    (export "drop-pollable" (func $drop-pollable))
    (export "drop-udp" (func $drop-udp))
    (export "drop-incoming" (func $drop-incoming))
    (export "drop-outgoing" (func $drop-outgoing))))))
  (func (export "in-order") (canon lift (core func $main "in-order")))
  (func (export "socket-before-streams") (canon lift (core func $main "socket-before-streams")))
  (func (export "stream-twice") (canon lift (core func $main "stream-twice")))
  (func (export "send-unpermitted") (canon lift (core func $main "send-unpermitted")))
  (func (export "socket-before-pollable") (canon lift (core func $main "socket-before-pollable"))))
