//! Sockets of a network namespace that is empty but for the loopback device. What leads out of it is a socket of the
//! host that the launcher puts in the place of one of these, connected or bound already. So the calls that give such a
//! socket another peer are the launcher's, or do not exist.

use libc::{EAFNOSUPPORT, ENOPROTOOPT, EOPNOTSUPP};

use crate::seccomp::rule::{
    Case, Check, Rule, Test,
    Verdict::{Allow, Ask, Only},
    rules,
};

/// The bits of a socket's type beside its flags, as `SOCK_TYPE_MASK` in the kernel.
const SOCKET_TYPE: u64 = 0xf;

const fn kind(kind: libc::c_int) -> Check {
    Check::int(1, Test::Bits { mask: SOCKET_TYPE, value: kind.cast_unsigned() as u64 })
}

const INTERNET: Check = Check::int(0, Test::OneOf(&[libc::AF_INET.cast_unsigned(), libc::AF_INET6.cast_unsigned()]));

const TCP: Case =
    &[INTERNET, kind(libc::SOCK_STREAM), Check::int(2, Test::OneOf(&[0, libc::IPPROTO_TCP.cast_unsigned()]))];
const UDP: Case =
    &[INTERNET, kind(libc::SOCK_DGRAM), Check::int(2, Test::OneOf(&[0, libc::IPPROTO_UDP.cast_unsigned()]))];
const UNIX: Case = &[
    Check::int(0, Test::OneOf(&[libc::AF_UNIX.cast_unsigned()])),
    kind(libc::SOCK_STREAM),
    Check::int(2, Test::OneOf(&[0])),
];

/// Data that goes with the first packet names a peer of its own, past connect(2).
const fn no_fast_open(flags: u8) -> Check {
    Check::int(flags, Test::Bits { mask: libc::MSG_FASTOPEN.cast_unsigned() as u64, value: 0 })
}

const fn option(level: &'static [u32], options: &'static [u32]) -> [Check; 2] {
    [Check::int(1, Test::OneOf(level)), Check::int(2, Test::OneOf(options))]
}

const OF_SOCKETS: [Check; 2] = option(
    &[libc::SOL_SOCKET.cast_unsigned()],
    &[
        libc::SO_REUSEADDR.cast_unsigned(),
        libc::SO_REUSEPORT.cast_unsigned(),
        libc::SO_BROADCAST.cast_unsigned(),
        libc::SO_SNDBUF.cast_unsigned(),
        libc::SO_RCVBUF.cast_unsigned(),
        libc::SO_KEEPALIVE.cast_unsigned(),
        libc::SO_OOBINLINE.cast_unsigned(),
        libc::SO_LINGER.cast_unsigned(),
        libc::SO_RCVTIMEO.cast_unsigned(),
        libc::SO_SNDTIMEO.cast_unsigned(),
    ],
);
const OF_TCP: [Check; 2] = option(
    &[libc::IPPROTO_TCP.cast_unsigned()],
    &[
        libc::TCP_NODELAY.cast_unsigned(),
        libc::TCP_CORK.cast_unsigned(),
        libc::TCP_KEEPIDLE.cast_unsigned(),
        libc::TCP_KEEPINTVL.cast_unsigned(),
        libc::TCP_KEEPCNT.cast_unsigned(),
        libc::TCP_DEFER_ACCEPT.cast_unsigned(),
        libc::TCP_QUICKACK.cast_unsigned(),
        libc::TCP_USER_TIMEOUT.cast_unsigned(),
    ],
);
const OF_IP: [Check; 2] = option(
    &[libc::IPPROTO_IP.cast_unsigned()],
    &[
        libc::IP_TOS.cast_unsigned(),
        libc::IP_TTL.cast_unsigned(),
        libc::IP_PKTINFO.cast_unsigned(),
        libc::IP_MTU_DISCOVER.cast_unsigned(),
        libc::IP_RECVERR.cast_unsigned(),
        libc::IP_RECVTOS.cast_unsigned(),
    ],
);
const OF_IPV6: [Check; 2] = option(
    &[libc::IPPROTO_IPV6.cast_unsigned()],
    &[
        libc::IPV6_V6ONLY.cast_unsigned(),
        libc::IPV6_UNICAST_HOPS.cast_unsigned(),
        libc::IPV6_MTU_DISCOVER.cast_unsigned(),
        libc::IPV6_RECVERR.cast_unsigned(),
        libc::IPV6_RECVPKTINFO.cast_unsigned(),
        libc::IPV6_TCLASS.cast_unsigned(),
        libc::IPV6_RECVTCLASS.cast_unsigned(),
    ],
);

pub(super) const SOCKETS: &[Rule] = rules! {
    SYS_socket: Only { cases: &[TCP, UDP, UNIX], otherwise: EAFNOSUPPORT },
        "TCP and UDP within the sandbox; unix streams to ask for. Unix datagrams go to any path that is in sight";
    SYS_connect: Ask, "where to, the policy says by name";
    SYS_bind: Ask, "which ports of the host, the policy says";
    SYS_listen: Ask, "not with a socket that was connected for the program";
    SYS_accept: Allow, "connections to what may be listened at";
    SYS_accept4: Allow, "connections to what may be listened at";
    SYS_sendto: Only { cases: &[&[no_fast_open(3)]], otherwise: EOPNOTSUPP }, "send to the peer, or within the sandbox";
    SYS_sendmsg: Only { cases: &[&[no_fast_open(2)]], otherwise: EOPNOTSUPP }, "send to the peer, or within the sandbox";
    SYS_sendmmsg: Only { cases: &[&[no_fast_open(3)]], otherwise: EOPNOTSUPP }, "send to the peer, or within the sandbox";
    SYS_recvmsg: Allow, "receive";
    SYS_recvmmsg: Allow, "receive";
    SYS_setsockopt: Only { cases: &[&OF_SOCKETS, &OF_TCP, &OF_IP, &OF_IPV6], otherwise: ENOPROTOOPT },
        "timeouts, buffers, keep-alive and the like; not routes, devices, filters or other protocols";
};

/// In the host's network a datagram needs no connection to leave.
pub(super) const STREAMS: &[Rule] = rules! {
    SYS_socket: Only { cases: &[TCP, UNIX], otherwise: EAFNOSUPPORT },
        "streams, which lead nowhere before they are connected; datagrams would";
};
