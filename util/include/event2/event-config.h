#ifndef EVENT2_EVENT_CONFIG_H_INCLUDED_
#define EVENT2_EVENT_CONFIG_H_INCLUDED_

/** @file event2/event-config.h
 *
 * What this build of the library is and what the platform has, under the EVENT__ names of
 * libevent 2.1. Nothing here is generated: each fact follows from the compiler's own macros, so
 * the file is the same on every machine. A macro that is absent means "no".
 */

/* ---- the release whose API and layouts this is ---- */

#define EVENT__NUMERIC_VERSION 0x02010c00
#define EVENT__VERSION "2.1.12-stable"
#define EVENT__PACKAGE "libevent"
#define EVENT__PACKAGE_NAME "libevent"
#define EVENT__PACKAGE_VERSION "2.1.12-stable"
#define EVENT__PACKAGE_STRING "libevent 2.1.12-stable"
#define EVENT__PACKAGE_TARNAME "libevent"
#define EVENT__PACKAGE_BUGREPORT ""
#define EVENT__PACKAGE_URL ""

/* EVENT__DISABLE_THREAD_SUPPORT, EVENT__DISABLE_MM_REPLACEMENT and EVENT__DISABLE_DEBUG_MODE are
 * never defined: those parts are always built. */

/* ---- sizes of types, in bytes ---- */

#if defined(__SIZEOF_POINTER__)
#define EVENT__SIZEOF_SHORT __SIZEOF_SHORT__
#define EVENT__SIZEOF_INT __SIZEOF_INT__
#define EVENT__SIZEOF_LONG __SIZEOF_LONG__
#define EVENT__SIZEOF_LONG_LONG __SIZEOF_LONG_LONG__
#define EVENT__SIZEOF_SIZE_T __SIZEOF_SIZE_T__
#define EVENT__SIZEOF_VOID_P __SIZEOF_POINTER__
#elif defined(_WIN64)
#define EVENT__SIZEOF_SHORT 2
#define EVENT__SIZEOF_INT 4
#define EVENT__SIZEOF_LONG 4
#define EVENT__SIZEOF_LONG_LONG 8
#define EVENT__SIZEOF_SIZE_T 8
#define EVENT__SIZEOF_VOID_P 8
#elif defined(_WIN32)
#define EVENT__SIZEOF_SHORT 2
#define EVENT__SIZEOF_INT 4
#define EVENT__SIZEOF_LONG 4
#define EVENT__SIZEOF_LONG_LONG 8
#define EVENT__SIZEOF_SIZE_T 4
#define EVENT__SIZEOF_VOID_P 4
#else
#error "event-config.h does not know the sizes of this compiler's types"
#endif

/* File offsets are 64 bits everywhere, whatever off_t the including program chose. */
#define EVENT__SIZEOF_OFF_T 8

/* Of the systems with 32 bits, these alone kept the old time_t; glibc only where nothing else is
 * asked for. */
#if defined(__linux__)
#include <features.h> /* __GLIBC__ */
#endif
#if EVENT__SIZEOF_VOID_P == 4 && !(defined(_TIME_BITS) && _TIME_BITS == 64) &&                     \
    ((defined(__GLIBC__) && !(defined(__TIMESIZE) && __TIMESIZE == 64)) || defined(__ANDROID__) || \
     (defined(__FreeBSD__) && defined(__i386__)))
#define EVENT__SIZEOF_TIME_T 4
#else
#define EVENT__SIZEOF_TIME_T 8
#endif

#if !defined(_WIN32)
#define EVENT__SIZEOF_PTHREAD_T EVENT__SIZEOF_VOID_P
#endif

/* ---- every platform: C11 and what sockets need ---- */

#define EVENT__HAVE_ERRNO_H 1
#define EVENT__HAVE_FCNTL_H 1
#define EVENT__HAVE_INTTYPES_H 1
#define EVENT__HAVE_STDARG_H 1
#define EVENT__HAVE_STDDEF_H 1
#define EVENT__HAVE_STDINT_H 1
#define EVENT__HAVE_STDIO_H 1
#define EVENT__HAVE_STDLIB_H 1
#define EVENT__HAVE_STRING_H 1
#define EVENT__HAVE_SYS_STAT_H 1
#define EVENT__HAVE_SYS_TYPES_H 1
#define EVENT__HAVE_WCHAR_H 1

#define EVENT__HAVE_UINT8_T 1
#define EVENT__HAVE_UINT16_T 1
#define EVENT__HAVE_UINT32_T 1
#define EVENT__HAVE_UINT64_T 1
#define EVENT__HAVE_UINTPTR_T 1

#define EVENT__HAVE_GETADDRINFO 1
#define EVENT__HAVE_GETNAMEINFO 1
#define EVENT__HAVE_GETPROTOBYNUMBER 1
#define EVENT__HAVE_GETSERVBYNAME 1
#define EVENT__HAVE_INET_NTOP 1
#define EVENT__HAVE_INET_PTON 1
#define EVENT__HAVE_SELECT 1
#define EVENT__HAVE_SIGNAL 1
#define EVENT__HAVE_STRTOLL 1
#define EVENT__HAVE_STRUCT_ADDRINFO 1
#define EVENT__HAVE_STRUCT_IN6_ADDR 1
#define EVENT__HAVE_STRUCT_LINGER 1
#define EVENT__HAVE_STRUCT_SOCKADDR_IN6 1
#define EVENT__HAVE_STRUCT_SOCKADDR_STORAGE 1
#define EVENT__HAVE_STRUCT_SOCKADDR_STORAGE_SS_FAMILY 1
#define EVENT__HAVE___func__ 1

#if defined(__GNUC__) || defined(_MSC_VER)
#define EVENT__HAVE___FUNCTION__ 1
#endif

/* ---- POSIX systems ---- */

#if !defined(_WIN32)
#define EVENT__HAVE_ARPA_INET_H 1
#define EVENT__HAVE_DLFCN_H 1
#define EVENT__HAVE_IFADDRS_H 1
#define EVENT__HAVE_NETDB_H 1
#define EVENT__HAVE_NETINET_IN_H 1
#define EVENT__HAVE_NETINET_TCP_H 1
#define EVENT__HAVE_POLL_H 1
#define EVENT__HAVE_STRINGS_H 1
#define EVENT__HAVE_SYS_IOCTL_H 1
#define EVENT__HAVE_SYS_MMAN_H 1
#define EVENT__HAVE_SYS_PARAM_H 1
#define EVENT__HAVE_SYS_QUEUE_H 1
#define EVENT__HAVE_SYS_RESOURCE_H 1
#define EVENT__HAVE_SYS_SELECT_H 1
#define EVENT__HAVE_SYS_SOCKET_H 1
#define EVENT__HAVE_SYS_TIME_H 1
#define EVENT__HAVE_SYS_UIO_H 1
#define EVENT__HAVE_SYS_UN_H 1
#define EVENT__HAVE_SYS_WAIT_H 1
#define EVENT__HAVE_UNISTD_H 1

#define EVENT__HAVE_CLOCK_GETTIME 1
#define EVENT__HAVE_FCNTL 1
#define EVENT__HAVE_FD_MASK 1
#define EVENT__HAVE_GETEGID 1
#define EVENT__HAVE_GETEUID 1
#define EVENT__HAVE_GETIFADDRS 1
#define EVENT__HAVE_GETTIMEOFDAY 1
#define EVENT__HAVE_MMAP 1
#define EVENT__HAVE_NANOSLEEP 1
#define EVENT__HAVE_PIPE 1
#define EVENT__HAVE_POLL 1
#define EVENT__HAVE_PTHREADS 1
#define EVENT__HAVE_PUTENV 1
#define EVENT__HAVE_SA_FAMILY_T 1
#define EVENT__HAVE_SETENV 1
#define EVENT__HAVE_SETFD 1
#define EVENT__HAVE_SETRLIMIT 1
#define EVENT__HAVE_SIGACTION 1
#define EVENT__HAVE_STRSEP 1
#define EVENT__HAVE_STRTOK_R 1
#define EVENT__HAVE_STRUCT_SOCKADDR_UN 1
#define EVENT__HAVE_TAILQFOREACH 1
#define EVENT__HAVE_TIMERADD 1
#define EVENT__HAVE_TIMERCLEAR 1
#define EVENT__HAVE_TIMERCMP 1
#define EVENT__HAVE_TIMERISSET 1
#define EVENT__HAVE_UMASK 1
#define EVENT__HAVE_UNSETENV 1
#define EVENT__HAVE_USLEEP 1
#define EVENT__HAVE_VASPRINTF 1
#endif

/* ---- Linux ---- */

#if defined(__linux__)
#define EVENT__HAVE_ACCEPT4 1
#define EVENT__HAVE_EPOLL 1
#define EVENT__HAVE_EPOLL_CREATE1 1
#define EVENT__HAVE_EPOLL_CTL 1
#define EVENT__HAVE_EVENTFD 1
#define EVENT__HAVE_GETRANDOM 1
#define EVENT__HAVE_PIPE2 1
#define EVENT__HAVE_SENDFILE 1
#define EVENT__HAVE_SPLICE 1
#define EVENT__HAVE_STRUCT_IN6_ADDR_S6_ADDR16 1
#define EVENT__HAVE_STRUCT_IN6_ADDR_S6_ADDR32 1
#define EVENT__HAVE_SYS_EPOLL_H 1
#define EVENT__HAVE_SYS_EVENTFD_H 1
#define EVENT__HAVE_SYS_RANDOM_H 1
#define EVENT__HAVE_SYS_SENDFILE_H 1
#define EVENT__HAVE_SYS_TIMERFD_H 1
#define EVENT__HAVE_TIMERFD_CREATE 1
#endif

/* ---- the BSDs and macOS ---- */

#if defined(__APPLE__) || defined(__FreeBSD__) || defined(__NetBSD__) || defined(__OpenBSD__) || \
    defined(__DragonFly__)
#define EVENT__HAVE_ARC4RANDOM 1
#define EVENT__HAVE_ARC4RANDOM_BUF 1
#define EVENT__HAVE_ISSETUGID 1
#define EVENT__HAVE_KQUEUE 1
#define EVENT__HAVE_STRLCPY 1
#define EVENT__HAVE_STRUCT_SOCKADDR_IN6_SIN6_LEN 1
#define EVENT__HAVE_STRUCT_SOCKADDR_IN_SIN_LEN 1
#define EVENT__HAVE_SYSCTL 1
#define EVENT__HAVE_SYS_EVENT_H 1
#define EVENT__HAVE_WORKING_KQUEUE 1
#endif

#if defined(__FreeBSD__) || defined(__NetBSD__) || defined(__OpenBSD__) || defined(__DragonFly__)
#define EVENT__HAVE_ACCEPT4 1
#define EVENT__HAVE_PIPE2 1
#endif

#if defined(__APPLE__)
#define EVENT__HAVE_MACH_ABSOLUTE_TIME 1
#define EVENT__HAVE_MACH_MACH_TIME_H 1
#endif

/* ---- Windows ---- */

#if defined(_WIN32)
#define EVENT__HAVE_LIBWS2_32 1
#define EVENT__HAVE__GMTIME64_S 1
#endif

#if defined(__MINGW32__)
#define EVENT__HAVE_SYS_PARAM_H 1
#define EVENT__HAVE_SYS_TIME_H 1
#define EVENT__HAVE_UNISTD_H 1
#endif

#if defined(_MSC_VER)
/* Microsoft's headers have no ssize_t; <BaseTsd.h> has SSIZE_T. */
#define EVENT__ssize_t SSIZE_T
#endif

#endif
