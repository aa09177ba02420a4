#ifndef STRATA_UTIL_TESTING_POSIX_NAMES_H_
#define STRATA_UTIL_TESTING_POSIX_NAMES_H_

/* The POSIX calls that tests make, over Winsock and the C runtime. Force-included into the tests of
 * Windows builds; empty elsewhere. The POSIX headers that tests name are in windows_include/.
 *
 * A descriptor is a socket or a C runtime descriptor; close, read, write and dup ask which. Calls
 * that fail set errno to POSIX's number. What differs from POSIX:
 * - socketpair() and pipe() give connected TCP sockets: no EPIPE at once when the peer has closed,
 *   what is sent arrives a little later, and a pipe is bidirectional.
 * - A socket's close-on-exec flag is the handle's inheritance flag, and whether it is non-blocking
 *   can be asked only of a connected one with nothing to read (F_GETFL, else "no").
 * - dup2() is the C runtime's alone: a socket cannot be given a number.
 * - Wine ends a socket's stream before it closes the socket: the peer of one that is closed with
 *   SO_LINGER's time 0, or with unread bytes, reads the end, and no ECONNRESET.
 * - MSG_NOSIGNAL is 0, SIGUSR1 and SIGUSR2 are two signals that a program can raise().
 * What only POSIX has (fork, AF_UNIX, sigaction, setrlimit, /proc) is not here. */
#if defined(_WIN32) && defined(__cplusplus)

#ifndef WIN32_LEAN_AND_MEAN
#define WIN32_LEAN_AND_MEAN
#endif
#ifndef NOMINMAX
#define NOMINMAX
#endif

#ifdef _IO_H_
#error "posix_names.h comes first: an int would go to the close() of the C runtime"
#endif

/* The C runtime's own get another name, so that those below can have theirs. */
#define close close_of_crt
#define dup dup_of_crt
#define ftruncate ftruncate_of_crt
#define mkstemp mkstemp_of_crt
#define open open_of_crt
#define read read_of_crt
#define tmpfile tmpfile_of_crt
#define write write_of_crt
#include <io.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#undef close
#undef dup
#undef ftruncate
#undef mkstemp
#undef open
#undef read
#undef tmpfile
#undef write

#include <winsock2.h>
#include <ws2tcpip.h>

/* Words that a test may use; the SDK's headers say FAR and NEAR. */
#undef far
#undef near
#undef FAR
#undef NEAR
#define FAR
#define NEAR

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/types.h>

#define MSG_NOSIGNAL 0
#define SHUT_RD SD_RECEIVE
#define SHUT_WR SD_SEND
#define SHUT_RDWR SD_BOTH
#define O_CLOEXEC _O_NOINHERIT
#define O_NONBLOCK 0x1000000 /* for pipe2() and F_GETFL */
#define F_GETFD 1
#define F_GETFL 3
#define FD_CLOEXEC 1
#define SIGUSR1 SIGBREAK
#define SIGUSR2 SIGILL

#define evthread_use_pthreads evthread_use_windows_threads

namespace posix_names {

/* A program that uses Winsock starts it first; the tests do it before main. */
struct Winsock {
  Winsock() {
    WSADATA data;
    if (WSAStartup(MAKEWORD(2, 2), &data) != 0) abort();
  }
};
inline const Winsock winsock;

/* POSIX's number of a Winsock error; of one that has none: EIO. */
inline int PosixError(int winsock_error) {
  static const int kNumbers[][2] = {{WSAEWOULDBLOCK, EAGAIN},
                                    {WSAEINTR, EINTR},
                                    {WSAEBADF, EBADF},
                                    {WSAENOTSOCK, ENOTSOCK},
                                    {WSAEINVAL, EINVAL},
                                    {WSAEFAULT, EFAULT},
                                    {WSAEACCES, EACCES},
                                    {WSAEMFILE, EMFILE},
                                    {WSAEINPROGRESS, EINPROGRESS},
                                    {WSAEALREADY, EALREADY},
                                    {WSAEISCONN, EISCONN},
                                    {WSAENOTCONN, ENOTCONN},
                                    {WSAESHUTDOWN, EPIPE},
                                    {WSAECONNRESET, ECONNRESET},
                                    {WSAECONNABORTED, ECONNABORTED},
                                    {WSAECONNREFUSED, ECONNREFUSED},
                                    {WSAETIMEDOUT, ETIMEDOUT},
                                    {WSAENETUNREACH, ENETUNREACH},
                                    {WSAEHOSTUNREACH, EHOSTUNREACH},
                                    {WSAENOBUFS, ENOBUFS},
                                    {WSAEADDRINUSE, EADDRINUSE},
                                    {WSAEADDRNOTAVAIL, EADDRNOTAVAIL},
                                    {WSAEAFNOSUPPORT, EAFNOSUPPORT},
                                    {WSAEPROTONOSUPPORT, EPROTONOSUPPORT},
                                    {WSAENOPROTOOPT, ENOPROTOOPT},
                                    {WSAEOPNOTSUPP, EOPNOTSUPP},
                                    {WSAEMSGSIZE, EMSGSIZE},
                                    {WSAEDESTADDRREQ, EDESTADDRREQ},
                                    {WSA_OPERATION_ABORTED, ECANCELED}};
  for (const auto &number : kNumbers)
    if (number[0] == winsock_error) return number[1];
  return EIO;
}

/* What a Winsock call returned, with errno set when it failed. */
template <class T>
T Checked(T result) {
  if (result == static_cast<T>(-1)) errno = PosixError(WSAGetLastError());
  return result;
}

inline bool IsSocket(intptr_t fd) {
  int type, len = sizeof(type);
  return fd % 4 == 0 && getsockopt(static_cast<SOCKET>(fd), SOL_SOCKET, SO_TYPE,
                                   reinterpret_cast<char *>(&type), &len) == 0;
}

inline intptr_t DupSocket(SOCKET fd) {
  WSAPROTOCOL_INFOW info;
  if (WSADuplicateSocketW(fd, GetCurrentProcessId(), &info) != 0) return Checked<intptr_t>(-1);
  return Checked(static_cast<intptr_t>(WSASocketW(
      FROM_PROTOCOL_INFO, FROM_PROTOCOL_INFO, FROM_PROTOCOL_INFO, &info, 0, WSA_FLAG_OVERLAPPED)));
}

/* Whether a receive that finds nothing comes back at once; a blocking one stops with WSAETIMEDOUT,
 * as SO_RCVTIMEO says. */
inline bool IsNonBlocking(SOCKET fd) {
  DWORD old_ms = 0, ms = 1;
  int len = sizeof(old_ms);
  char byte;
  getsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, reinterpret_cast<char *>(&old_ms), &len);
  setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, reinterpret_cast<char *>(&ms), sizeof(ms));
  const bool is_refused = recv(fd, &byte, 1, MSG_PEEK) < 0 && WSAGetLastError() == WSAEWOULDBLOCK;
  setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, reinterpret_cast<char *>(&old_ms), sizeof(old_ms));
  return is_refused;
}

inline int SocketFlags(SOCKET fd, int command) {
  DWORD flags = 0;
  if (command == F_GETFL) return IsNonBlocking(fd) ? O_NONBLOCK : 0;
  GetHandleInformation(reinterpret_cast<HANDLE>(fd), &flags);
  return flags & HANDLE_FLAG_INHERIT ? 0 : FD_CLOEXEC;
}

/* Two TCP sockets over the loopback address, connected with each other. */
inline bool Connect(SOCKET *listener, SOCKET *out_pair) {
  sockaddr_in sin = {};
  sockaddr *address = reinterpret_cast<sockaddr *>(&sin);
  int len = sizeof(sin), on = 1;
  sin.sin_family = AF_INET;
  sin.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  *listener = socket(AF_INET, SOCK_STREAM, 0);
  out_pair[0] = socket(AF_INET, SOCK_STREAM, 0);
  if (bind(*listener, address, len) != 0 || listen(*listener, 1) != 0 ||
      getsockname(*listener, address, &len) != 0 || connect(out_pair[0], address, len) != 0)
    return false;
  out_pair[1] = accept(*listener, nullptr, nullptr);
  for (int i = 0; i < 2; i++)
    setsockopt(out_pair[i], IPPROTO_TCP, TCP_NODELAY, reinterpret_cast<char *>(&on), sizeof(on));
  return out_pair[1] != INVALID_SOCKET;
}

/* -1, with all closed, when it fails. */
inline int NewPair(SOCKET *out_pair) {
  SOCKET listener = INVALID_SOCKET;
  out_pair[0] = out_pair[1] = INVALID_SOCKET;
  const bool is_connected = Connect(&listener, out_pair);
  if (!is_connected) Checked(-1);
  closesocket(listener);
  for (int i = 0; i < 2 && !is_connected; i++) closesocket(out_pair[i]);
  return is_connected ? 0 : -1;
}

}  // namespace posix_names

/* ---- Sockets. Templates, so that they are better matches than the SDK's functions for everything
 * but a SOCKET. ---- */

template <class Fd, class Len>
ssize_t send(const Fd &fd, const char *data, Len len, int flags) {
  return posix_names::Checked(send(static_cast<SOCKET>(fd), data, static_cast<int>(len), flags));
}

template <class Fd, class Len>
ssize_t recv(const Fd &fd, char *out_data, Len len, int flags) {
  return posix_names::Checked(
      recv(static_cast<SOCKET>(fd), out_data, static_cast<int>(len), flags));
}

template <class Fd>
int bind(const Fd &fd, const sockaddr *address, int len) {
  return posix_names::Checked(bind(static_cast<SOCKET>(fd), address, len));
}

template <class Fd>
int listen(const Fd &fd, int backlog) {
  return posix_names::Checked(listen(static_cast<SOCKET>(fd), backlog));
}

template <class Fd>
int connect(const Fd &fd, const sockaddr *address, int len) {
  const int result = posix_names::Checked(connect(static_cast<SOCKET>(fd), address, len));
  if (result < 0 && errno == EAGAIN) errno = EINPROGRESS;
  return result;
}

template <class Fd>
intptr_t accept(const Fd &fd, sockaddr *out_address, int *inout_len) {
  return posix_names::Checked(
      static_cast<intptr_t>(accept(static_cast<SOCKET>(fd), out_address, inout_len)));
}

template <class Fd>
int shutdown(const Fd &fd, int how) {
  return posix_names::Checked(shutdown(static_cast<SOCKET>(fd), how));
}

template <class Fd>
int getsockname(const Fd &fd, sockaddr *out_address, int *inout_len) {
  return posix_names::Checked(getsockname(static_cast<SOCKET>(fd), out_address, inout_len));
}

template <class Fd>
int getpeername(const Fd &fd, sockaddr *out_address, int *inout_len) {
  return posix_names::Checked(getpeername(static_cast<SOCKET>(fd), out_address, inout_len));
}

template <class Fd, class T>
int getsockopt(const Fd &fd, int level, int option, T *out_value, int *inout_len) {
  return posix_names::Checked(getsockopt(static_cast<SOCKET>(fd), level, option,
                                         reinterpret_cast<char *>(out_value), inout_len));
}

template <class Fd, class T>
int setsockopt(const Fd &fd, int level, int option, const T *value, int len) {
  return posix_names::Checked(setsockopt(static_cast<SOCKET>(fd), level, option,
                                         reinterpret_cast<const char *>(value), len));
}

/* SO_RCVTIMEO and SO_SNDTIMEO are milliseconds in Winsock. */
template <class Fd>
int setsockopt(const Fd &fd, int level, int option, const timeval *value, int) {
  const DWORD ms = static_cast<DWORD>(value->tv_sec * 1000 + (value->tv_usec + 999) / 1000);
  return setsockopt(fd, level, option, &ms, sizeof(ms));
}

inline int poll(pollfd *fds, unsigned num_fds, int timeout_ms) {
  return posix_names::Checked(WSAPoll(fds, num_fds, timeout_ms));
}

/* The domain is not looked at: AF_UNIX has no pairs here. `Fd` is int or evutil_socket_t. */
template <class Fd>
int socketpair(int, int type, int, Fd *out_fds) {
  SOCKET pair[2];
  if (type != SOCK_STREAM) {
    errno = EOPNOTSUPP;
    return -1;
  }
  if (posix_names::NewPair(pair) < 0) return -1;
  for (int i = 0; i < 2; i++) out_fds[i] = static_cast<Fd>(pair[i]);
  return 0;
}

template <class Fd>
int pipe(Fd *out_fds) {
  return socketpair(AF_INET, SOCK_STREAM, 0, out_fds);
}

template <class Fd>
int pipe2(Fd *out_fds, int flags) {
  if (pipe(out_fds) < 0) return -1;
  for (int i = 0; i < 2; i++) {
    u_long is_nonblocking = (flags & O_NONBLOCK) != 0;
    ioctlsocket(static_cast<SOCKET>(out_fds[i]), FIONBIO, &is_nonblocking);
    SetHandleInformation(reinterpret_cast<HANDLE>(static_cast<SOCKET>(out_fds[i])),
                         HANDLE_FLAG_INHERIT, flags & O_CLOEXEC ? 0 : HANDLE_FLAG_INHERIT);
  }
  return 0;
}

/* ---- Sockets and files ---- */

inline int close(intptr_t fd) {
  if (!posix_names::IsSocket(fd)) return _close(static_cast<int>(fd));
  return posix_names::Checked(closesocket(static_cast<SOCKET>(fd)));
}

inline ssize_t read(intptr_t fd, void *out_data, size_t len) {
  if (!posix_names::IsSocket(fd))
    return _read(static_cast<int>(fd), out_data, static_cast<unsigned>(len));
  return recv(fd, static_cast<char *>(out_data), len, 0);
}

inline ssize_t write(intptr_t fd, const void *data, size_t len) {
  if (!posix_names::IsSocket(fd))
    return _write(static_cast<int>(fd), data, static_cast<unsigned>(len));
  return send(fd, static_cast<const char *>(data), len, 0);
}

inline int dup(intptr_t fd) {
  if (!posix_names::IsSocket(fd)) return _dup(static_cast<int>(fd));
  return static_cast<int>(posix_names::DupSocket(static_cast<SOCKET>(fd)));
}

inline int fcntl(intptr_t fd, int command) {
  if (posix_names::IsSocket(fd)) return posix_names::SocketFlags(static_cast<SOCKET>(fd), command);
  return _get_osfhandle(static_cast<int>(fd)) == -1 ? -1 : 0;
}

/* ---- Files ---- */

inline int open(const char *path, int flags, int mode = 0) {
  return _open(path, flags | _O_BINARY, mode);
}

/* The file can be unlinked while it is open. */
inline int mkstemp(char *path) {
  char *const digits = path + strlen(path) - 6;
  for (unsigned i = 0; i < 100000; i++) {
    snprintf(digits, 7, "%06u", (static_cast<unsigned>(GetCurrentProcessId()) * 100 + i) % 1000000);
    const HANDLE file = CreateFileA(path, GENERIC_READ | GENERIC_WRITE,
                                    FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE, nullptr,
                                    CREATE_NEW, FILE_ATTRIBUTE_NORMAL, nullptr);
    if (file != INVALID_HANDLE_VALUE)
      return _open_osfhandle(reinterpret_cast<intptr_t>(file), _O_RDWR | _O_BINARY);
    if (GetLastError() != ERROR_FILE_EXISTS) break;
  }
  errno = EACCES;
  return -1;
}

/* The C runtime's makes it in the root directory, where only an administrator may. */
inline FILE *tmpfile() {
  char path[MAX_PATH + 32];
  const DWORD len = GetTempPathA(MAX_PATH, path);
  snprintf(path + len, 32, "strata-XXXXXX");
  const int fd = mkstemp(path);
  if (fd < 0) return nullptr;
  DeleteFileA(path);
  return _fdopen(fd, "w+b");
}

inline int ftruncate(int fd, int64_t len) {
  errno = static_cast<int>(_chsize_s(fd, len));
  return errno == 0 ? 0 : -1;
}

/* These two move the file's position for a moment: nobody else may use the descriptor. */
inline ssize_t pread(int fd, void *out_data, size_t len, int64_t position) {
  const int64_t old_position = _lseeki64(fd, 0, SEEK_CUR);
  if (_lseeki64(fd, position, SEEK_SET) < 0) return -1;
  const ssize_t result = _read(fd, out_data, static_cast<unsigned>(len));
  _lseeki64(fd, old_position, SEEK_SET);
  return result;
}

inline ssize_t pwrite(int fd, const void *data, size_t len, int64_t position) {
  const int64_t old_position = _lseeki64(fd, 0, SEEK_CUR);
  if (_lseeki64(fd, position, SEEK_SET) < 0) return -1;
  const ssize_t result = _write(fd, data, static_cast<unsigned>(len));
  _lseeki64(fd, old_position, SEEK_SET);
  return result;
}

/* ---- The environment. A variable cannot be empty here: it is removed. ---- */

inline int setenv(const char *name, const char *value, int) {
  return _putenv_s(name, value) == 0 ? 0 : -1;
}

inline int unsetenv(const char *name) {
  return setenv(name, "", 1);
}

#endif

#endif
