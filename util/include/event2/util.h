#ifndef EVENT2_UTIL_H_INCLUDED_
#define EVENT2_UTIL_H_INCLUDED_

/** @file event2/util.h
 *
 * Small things that differ between systems, under one name each: integer types, sockets,
 * addresses, time, strings, random bytes. None of them needs an event base.
 *
 * Unless a comment says otherwise, a function returns 0 on success and -1 on failure, and a
 * failure of a socket function leaves its reason in EVUTIL_SOCKET_ERROR().
 */

#include <event2/event-config.h>
#include <event2/visibility.h>

#if defined(_WIN32)
#include <winsock2.h>
#include <ws2tcpip.h>
#else
#include <netdb.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/time.h>
#endif
#if defined(_MSC_VER)
#include <BaseTsd.h>
#endif

#include <errno.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/types.h>
#include <time.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- integers ---- */

/** @name Integers of exactly this many bits
 * @{ */
#define ev_uint64_t uint64_t
#define ev_int64_t int64_t
#define ev_uint32_t uint32_t
#define ev_int32_t int32_t
#define ev_uint16_t uint16_t
#define ev_int16_t int16_t
#define ev_uint8_t uint8_t
#define ev_int8_t int8_t
/** @} */

/** @name Integers that hold a pointer
 * @{ */
#define ev_uintptr_t uintptr_t
#define ev_intptr_t intptr_t
/** @} */

/** As wide as size_t, with a sign. */
#ifdef EVENT__ssize_t
#define ev_ssize_t EVENT__ssize_t
#else
#define ev_ssize_t ssize_t
#endif

/** A position in a file: 64 bits, independent of the off_t of the including program. */
#define ev_off_t ev_int64_t

/** @name Limits of these types
 * @{ */
#define EV_UINT64_MAX UINT64_MAX
#define EV_INT64_MAX INT64_MAX
#define EV_INT64_MIN INT64_MIN
#define EV_UINT32_MAX UINT32_MAX
#define EV_INT32_MAX INT32_MAX
#define EV_INT32_MIN INT32_MIN
#define EV_UINT16_MAX UINT16_MAX
#define EV_INT16_MAX INT16_MAX
#define EV_INT16_MIN INT16_MIN
#define EV_UINT8_MAX UINT8_MAX
#define EV_INT8_MAX INT8_MAX
#define EV_INT8_MIN INT8_MIN
#if EVENT__SIZEOF_SIZE_T == 8
#define EV_SIZE_MAX EV_UINT64_MAX
#define EV_SSIZE_MAX EV_INT64_MAX
#else
#define EV_SIZE_MAX EV_UINT32_MAX
#define EV_SSIZE_MAX EV_INT32_MAX
#endif
#define EV_SSIZE_MIN ((-EV_SSIZE_MAX) - 1)
/** @} */

/** The type of the length of a socket address. */
#if defined(_WIN32)
#define ev_socklen_t int
#else
#define ev_socklen_t socklen_t
#endif

/** A socket: what socket() and accept() return. */
#if defined(_WIN32)
#define evutil_socket_t intptr_t
#else
#define evutil_socket_t int
#endif

/** The offset of a member within a struct, in bytes. */
#define evutil_offsetof(type, field) offsetof(type, field)

/* ---- time ---- */

/** @name Arithmetic on struct timeval
 *
 * The arguments are pointers and are evaluated more than once. The microseconds of a normalised
 * value are 0 to 999999; both operations keep that true.
 * @{ */
/** Stores *tvp + *uvp in *vvp. */
#define evutil_timeradd(tvp, uvp, vvp)                \
  do {                                                \
    (vvp)->tv_sec = (tvp)->tv_sec + (uvp)->tv_sec;    \
    (vvp)->tv_usec = (tvp)->tv_usec + (uvp)->tv_usec; \
    if ((vvp)->tv_usec >= 1000000) {                  \
      (vvp)->tv_sec++;                                \
      (vvp)->tv_usec -= 1000000;                      \
    }                                                 \
  } while (0)
/** Stores *tvp - *uvp in *vvp. */
#define evutil_timersub(tvp, uvp, vvp)                \
  do {                                                \
    (vvp)->tv_sec = (tvp)->tv_sec - (uvp)->tv_sec;    \
    (vvp)->tv_usec = (tvp)->tv_usec - (uvp)->tv_usec; \
    if ((vvp)->tv_usec < 0) {                         \
      (vvp)->tv_sec--;                                \
      (vvp)->tv_usec += 1000000;                      \
    }                                                 \
  } while (0)
/** Makes *tvp zero. */
#define evutil_timerclear(tvp) ((tvp)->tv_sec = (tvp)->tv_usec = 0)
/** True when *tvp cmp *uvp, where cmp is one of == != < <= > >=. */
#define evutil_timercmp(tvp, uvp, cmp)                                   \
  (((tvp)->tv_sec == (uvp)->tv_sec) ? ((tvp)->tv_usec cmp(uvp)->tv_usec) \
                                    : ((tvp)->tv_sec cmp(uvp)->tv_sec))
/** True unless *tvp is zero. */
#define evutil_timerisset(tvp) ((tvp)->tv_sec || (tvp)->tv_usec)
/** @} */

/** The wall clock as a struct timeval; tz may be NULL and is best left so. */
#if defined(EVENT__HAVE_GETTIMEOFDAY)
#define evutil_gettimeofday(tv, tz) gettimeofday((tv), (tz))
#else
struct timezone;
EVENT2_EXPORT_SYMBOL
int evutil_gettimeofday(struct timeval *tv, struct timezone *tz);
#endif

/** Reads a clock that never goes back. Opaque. */
struct evutil_monotonic_timer;

/** Prefer the precise clock to a cheaper, coarser one. */
#define EV_MONOT_PRECISE 1
/** Pretend that the system has no monotonic clock and derive one from the wall clock. For tests. */
#define EV_MONOT_FALLBACK 2

/** Makes a timer, to be configured before its first use. NULL when memory is exhausted. */
EVENT2_EXPORT_SYMBOL
struct evutil_monotonic_timer *evutil_monotonic_timer_new(void);

/** Frees a timer; NULL is allowed. */
EVENT2_EXPORT_SYMBOL
void evutil_monotonic_timer_free(struct evutil_monotonic_timer *timer);

/** Chooses the clock by EV_MONOT_ flags (0: the default one). */
EVENT2_EXPORT_SYMBOL
int evutil_configure_monotonic_time(struct evutil_monotonic_timer *timer, int flags);

/**
 * Stores the time since some fixed, unspecified moment. Successive results never decrease.
 * One timer may not be read by two threads at once.
 */
EVENT2_EXPORT_SYMBOL
int evutil_gettime_monotonic(struct evutil_monotonic_timer *timer, struct timeval *tp);

/**
 * Writes the date as HTTP wants it, "Sun, 06 Nov 1994 08:49:37 GMT" (RFC 9110, section 5.6.7), in
 * English whatever the locale. tm is in UTC; NULL means now.
 *
 * @return the length that the text has without its NUL; the buffer was too small when that is not
 *   less than datelen.
 */
EVENT2_EXPORT_SYMBOL
int evutil_date_rfc1123(char *date, const size_t datelen, const struct tm *tm);

/* ---- sockets ---- */

/** Makes two sockets connected to each other, as socketpair(2). On Windows always over TCP and the
 * loopback interface, for AF_INET or AF_UNIX, SOCK_STREAM and protocol 0 only: what is sent arrives
 * a little later there. */
EVENT2_EXPORT_SYMBOL
int evutil_socketpair(int d, int type, int protocol, evutil_socket_t sv[2]);

/** Calls on the socket return instead of waiting. */
EVENT2_EXPORT_SYMBOL
int evutil_make_socket_nonblocking(evutil_socket_t sock);

/** Lets a listener bind an address whose old connections linger in TIME_WAIT (SO_REUSEADDR). Does
 * nothing on Windows, where that option would let a second program take the address over. */
EVENT2_EXPORT_SYMBOL
int evutil_make_listen_socket_reuseable(evutil_socket_t sock);

/** Lets several sockets bind and listen on one port if all ask for it (SO_REUSEPORT). On Linux the
 * kernel spreads connections among them. 0 also where the system has no such option. */
EVENT2_EXPORT_SYMBOL
int evutil_make_listen_socket_reuseable_port(evutil_socket_t sock);

/** An IPv6 socket serves IPv6 alone, so that the same port can be bound for IPv4 beside it. Call
 * it before bind(). */
EVENT2_EXPORT_SYMBOL
int evutil_make_listen_socket_ipv6only(evutil_socket_t sock);

/** An IPv6 socket serves IPv4 too, as mapped addresses. Call it before bind(). (libevent 2.2.) */
EVENT2_EXPORT_SYMBOL
int evutil_make_listen_socket_not_ipv6only(evutil_socket_t sock);

/** The socket does not survive exec; on Windows: child processes do not inherit it. */
EVENT2_EXPORT_SYMBOL
int evutil_make_socket_closeonexec(evutil_socket_t sock);

/** Closes a socket, on Windows too, where close() is for files only. */
EVENT2_EXPORT_SYMBOL
int evutil_closesocket(evutil_socket_t sock);
#define EVUTIL_CLOSESOCKET(s) evutil_closesocket(s)

/** A listening TCP socket reports a connection only when data has come with it
 * (TCP_DEFER_ACCEPT). For protocols in which the client speaks first. 0 also where the system has
 * no such option. */
EVENT2_EXPORT_SYMBOL
int evutil_make_tcp_listen_socket_deferred(evutil_socket_t sock);

/**
 * Switches TCP keep-alive on or off. On: after `timeout` idle seconds the peer is asked three
 * times, a third of `timeout` apart, before the connection counts as dead; timeout <= 0 leaves the
 * system's own times alone. Windows before version 10 asks ten times. (libevent 2.2.)
 */
EVENT2_EXPORT_SYMBOL
int evutil_set_tcp_keepalive(evutil_socket_t sock, int on, int timeout);

/** @name Errors of sockets
 *
 * Winsock keeps them apart from errno, with numbers and texts of its own. A failure that has
 * nothing to do with sockets (no memory, a wrong argument, a file) is in errno on Windows too.
 * @{ */
#if defined(_WIN32)
/** The last socket error of this thread. */
#define EVUTIL_SOCKET_ERROR() WSAGetLastError()
/** Sets it. */
#define EVUTIL_SET_SOCKET_ERROR(errcode) \
  do {                                   \
    WSASetLastError(errcode);            \
  } while (0)
/** The last error, taken from the socket where the system keeps it there. */
EVENT2_EXPORT_SYMBOL
int evutil_socket_geterror(evutil_socket_t sock);
/** Its text, which belongs to the library until libevent_global_shutdown(). */
EVENT2_EXPORT_SYMBOL
const char *evutil_socket_error_to_string(int errcode);
#define EVUTIL_INVALID_SOCKET INVALID_SOCKET
#else
#define EVUTIL_SOCKET_ERROR() (errno)
#define EVUTIL_SET_SOCKET_ERROR(errcode) \
  do {                                   \
    errno = (errcode);                   \
  } while (0)
#define evutil_socket_geterror(sock) (errno)
#define evutil_socket_error_to_string(errcode) (strerror(errcode))
#define EVUTIL_INVALID_SOCKET -1
#endif
/** @} */

/* ---- strings ---- */

/** Parses an integer of 64 bits, with the arguments and results of strtoll(3). */
EVENT2_EXPORT_SYMBOL
ev_int64_t evutil_strtoll(const char *s, char **endptr, int base);

#if defined(__MINGW32__) && !defined(__clang__)
/* There plain "printf" means the formats of Microsoft's old C library. */
#define EVENT2_PRINTF_(format_index, first_arg) \
  __attribute__((format(gnu_printf, format_index, first_arg)))
#elif defined(__GNUC__)
#define EVENT2_PRINTF_(format_index, first_arg) \
  __attribute__((format(printf, format_index, first_arg)))
#else
#define EVENT2_PRINTF_(format_index, first_arg)
#endif

/** As snprintf in C99, everywhere: the result always ends in NUL unless buflen is 0, and the
 * return value is the length that the whole text has, or negative on a format error. A buflen of 0
 * returns 0. */
EVENT2_EXPORT_SYMBOL
int evutil_snprintf(char *buf, size_t buflen, const char *format, ...) EVENT2_PRINTF_(3, 4);
/** The same with a va_list. */
EVENT2_EXPORT_SYMBOL
int evutil_vsnprintf(char *buf, size_t buflen, const char *format, va_list ap) EVENT2_PRINTF_(3, 0);

/** As strcasecmp(3), folding A-Z only, whatever the locale. */
EVENT2_EXPORT_SYMBOL
int evutil_ascii_strcasecmp(const char *str1, const char *str2);
/** As strncasecmp(3), folding A-Z only, whatever the locale. */
EVENT2_EXPORT_SYMBOL
int evutil_ascii_strncasecmp(const char *str1, const char *str2, size_t n);

/* ---- addresses ---- */

/** Writes an address (struct in_addr or in6_addr, by af) as text; IPv6 as in RFC 5952. Returns
 * dst, or NULL when len bytes are too few or af is unknown. */
EVENT2_EXPORT_SYMBOL
const char *evutil_inet_ntop(int af, const void *src, char *dst, size_t len);

/** Parses an address without port, with the results of inet_pton(3): 1 for success, 0 for bad
 * text, -1 for an unknown family. */
EVENT2_EXPORT_SYMBOL
int evutil_inet_pton(int af, const char *src, void *dst);

/** The same, with an optional "%zone" after an IPv6 address (RFC 4007, section 11): *indexp
 * becomes the number of that interface, or 0. */
EVENT2_EXPORT_SYMBOL
int evutil_inet_pton_scope(int af, const char *src, void *dst, unsigned *indexp);

struct sockaddr;

/**
 * Parses "192.0.2.1", "192.0.2.1:80", "2001:db8::1", "[2001:db8::1]" or "[2001:db8::1]:80"; an
 * IPv6 address may have a zone. Without a port the port is 0.
 *
 * @param outlen in: the size of *out, best a struct sockaddr_storage; out: the bytes used.
 * @return -1 when the text is not such an address or *outlen is too small.
 */
EVENT2_EXPORT_SYMBOL
int evutil_parse_sockaddr_port(const char *str, struct sockaddr *out, int *outlen);

/**
 * Orders two addresses: negative, 0 or positive. Ports count when include_port is set. Addresses
 * of families other than AF_INET and AF_INET6 are never equal. A zone does not count.
 */
EVENT2_EXPORT_SYMBOL
int evutil_sockaddr_cmp(const struct sockaddr *sa1, const struct sockaddr *sa2, int include_port);

/** The system's struct addrinfo. */
#define evutil_addrinfo addrinfo

/** @name Results of evutil_getaddrinfo()
 *
 * The system's values, or numbers of the library's own where the system's headers have none.
 * @{ */
#ifdef EAI_ADDRFAMILY
#define EVUTIL_EAI_ADDRFAMILY EAI_ADDRFAMILY
#else
#define EVUTIL_EAI_ADDRFAMILY -901
#endif
#ifdef EAI_AGAIN
#define EVUTIL_EAI_AGAIN EAI_AGAIN
#else
#define EVUTIL_EAI_AGAIN -902
#endif
#ifdef EAI_BADFLAGS
#define EVUTIL_EAI_BADFLAGS EAI_BADFLAGS
#else
#define EVUTIL_EAI_BADFLAGS -903
#endif
#ifdef EAI_FAIL
#define EVUTIL_EAI_FAIL EAI_FAIL
#else
#define EVUTIL_EAI_FAIL -904
#endif
#ifdef EAI_FAMILY
#define EVUTIL_EAI_FAMILY EAI_FAMILY
#else
#define EVUTIL_EAI_FAMILY -905
#endif
#ifdef EAI_MEMORY
#define EVUTIL_EAI_MEMORY EAI_MEMORY
#else
#define EVUTIL_EAI_MEMORY -906
#endif
/* Some Windows SDKs give NODATA the value of NONAME. */
#if defined(EAI_NODATA) && (!defined(EAI_NONAME) || EAI_NODATA != EAI_NONAME)
#define EVUTIL_EAI_NODATA EAI_NODATA
#else
#define EVUTIL_EAI_NODATA -907
#endif
#ifdef EAI_NONAME
#define EVUTIL_EAI_NONAME EAI_NONAME
#else
#define EVUTIL_EAI_NONAME -908
#endif
#ifdef EAI_SERVICE
#define EVUTIL_EAI_SERVICE EAI_SERVICE
#else
#define EVUTIL_EAI_SERVICE -909
#endif
#ifdef EAI_SOCKTYPE
#define EVUTIL_EAI_SOCKTYPE EAI_SOCKTYPE
#else
#define EVUTIL_EAI_SOCKTYPE -910
#endif
#ifdef EAI_SYSTEM
#define EVUTIL_EAI_SYSTEM EAI_SYSTEM
#else
#define EVUTIL_EAI_SYSTEM -911
#endif
/** A lookup was cancelled before it had a result. */
#define EVUTIL_EAI_CANCEL -90001
/** @} */

/** @name Flags for evutil_getaddrinfo()
 * @{ */
#ifdef AI_PASSIVE
#define EVUTIL_AI_PASSIVE AI_PASSIVE
#else
#define EVUTIL_AI_PASSIVE 0x1000
#endif
#ifdef AI_CANONNAME
#define EVUTIL_AI_CANONNAME AI_CANONNAME
#else
#define EVUTIL_AI_CANONNAME 0x2000
#endif
#ifdef AI_NUMERICHOST
#define EVUTIL_AI_NUMERICHOST AI_NUMERICHOST
#else
#define EVUTIL_AI_NUMERICHOST 0x4000
#endif
#ifdef AI_NUMERICSERV
#define EVUTIL_AI_NUMERICSERV AI_NUMERICSERV
#else
#define EVUTIL_AI_NUMERICSERV 0x8000
#endif
#ifdef AI_V4MAPPED
#define EVUTIL_AI_V4MAPPED AI_V4MAPPED
#else
#define EVUTIL_AI_V4MAPPED 0x10000
#endif
#ifdef AI_ALL
#define EVUTIL_AI_ALL AI_ALL
#else
#define EVUTIL_AI_ALL 0x20000
#endif
#ifdef AI_ADDRCONFIG
#define EVUTIL_AI_ADDRCONFIG AI_ADDRCONFIG
#else
#define EVUTIL_AI_ADDRCONFIG 0x40000
#endif
/** @} */

struct evutil_addrinfo;

/**
 * Finds the addresses of a host and the port of a service, as getaddrinfo(3) and RFC 3493, section
 * 6.1. A host that is written as a number, or absent, is answered at once; any other name asks the
 * system and may block for a long time.
 *
 * @param nodename a name or a numeric address; NULL for this host (any address with
 *   EVUTIL_AI_PASSIVE, else loopback).
 * @param servname a port number or a service name; may be NULL, but not together with nodename.
 * @param hints_in may be NULL.
 * @param res receives the list, for evutil_freeaddrinfo(); NULL on failure.
 * @return 0 or an EVUTIL_EAI_ code.
 */
EVENT2_EXPORT_SYMBOL
int evutil_getaddrinfo(const char *nodename, const char *servname,
                       const struct evutil_addrinfo *hints_in, struct evutil_addrinfo **res);

/** Frees a list made by evutil_getaddrinfo() (or by evdns_getaddrinfo()). NULL is allowed. Do not
 * give it what the system's getaddrinfo() made. */
EVENT2_EXPORT_SYMBOL
void evutil_freeaddrinfo(struct evutil_addrinfo *ai);

/** The text of an EVUTIL_EAI_ code; it belongs to the library. */
EVENT2_EXPORT_SYMBOL
const char *evutil_gai_strerror(int err);

/* ---- random bytes ---- */

/**
 * Fills buf with n bytes that nobody can predict, straight from the operating system's generator.
 * From any thread, and right after a fork too. Ends the program when the system has no random
 * bytes to give, because nothing sensible can go on without them.
 */
EVENT2_EXPORT_SYMBOL
void evutil_secure_rng_get_bytes(void *buf, size_t n);

/** Checks that random bytes can be had. A program that gives up rights or changes its root calls
 * it before. */
EVENT2_EXPORT_SYMBOL
int evutil_secure_rng_init(void);

/**
 * Names a device to read from where the system has no call for random bytes. The string is not
 * copied. Call it before any other function of this group. On Windows it changes nothing.
 *
 * @return -1 once the generator is in use.
 */
EVENT2_EXPORT_SYMBOL
int evutil_secure_rng_set_urandom_device_file(char *fname);

/** Does nothing: the system's generator needs no help from a program. Kept for programs that call
 * it. */
EVENT2_EXPORT_SYMBOL
void evutil_secure_rng_add_bytes(const char *dat, size_t datlen);

#ifdef __cplusplus
}
#endif

#endif
