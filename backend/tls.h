#pragma once

#include <openssl/ssl.h>

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "backend/buffer.h"
#include "base/error.h"

namespace pgmosaic::backend {

/// Files of the endpoint's own end of TLS, PEM.
struct TlsFiles {
    std::string certificate{};  ///< with its chain
    std::string key{};
    std::string client_ca{};  ///< who may sign clients' certificates; empty: they are not asked for one
    friend bool operator==(const TlsFiles&, const TlsFiles&) = default;
};

/// What all encrypted connections of one kind share: certificate, trust, protocol versions. Serves several cores: OpenSSL
/// counts its references itself, and nothing is changed after it was made.
class TlsContext {
   public:
    /// For connections that clients make to us. Errors: F0000 with the file's name.
    static Result<std::shared_ptr<const TlsContext>> for_clients(const TlsFiles& files);
    /// For connections that we make to servers. `ca`: who may sign their certificates; empty: nothing is verified.
    static Result<std::shared_ptr<const TlsContext>> for_servers(const std::string& ca);

    SSL_CTX* get() const { return context_.get(); }
    /// `tls-server-end-point` of our certificate (RFC 5929); empty where it is not defined.
    const std::string& certificate_hash() const { return certificate_hash_; }

   private:
    struct Free {
        void operator()(SSL_CTX* context) const { SSL_CTX_free(context); }
    };
    explicit TlsContext(SSL_CTX* context) : context_(context) {}
    std::unique_ptr<SSL_CTX, Free> context_;
    std::string certificate_hash_;
};

/// The hash of a certificate by the algorithm it was signed with (SHA-256 in place of MD5 and SHA-1); empty: not defined.
std::string end_point_hash(X509* certificate);

/// TLS between two buffers: plain bytes on one side, records on the other. It has no socket; a Stream moves the records.
///
/// Core    one
/// Errors  system_error: end of file after the peer's close_notify, else connection reset
class TlsChannel {
   public:
    enum class Role : std::uint8_t { kServer, kClient };
    /// `host`: the name that the server's certificate must bear; empty: any.
    TlsChannel(const TlsContext& context, Role role, const std::string& host = {});
    /// Takes over a connection that libpq has encrypted; libpq keeps the object and frees it after this one.
    explicit TlsChannel(SSL* libpq);
    ~TlsChannel();
    TlsChannel(const TlsChannel&) = delete;
    TlsChannel& operator=(const TlsChannel&) = delete;

    /// One step with the records that are there; true when done. False: more records must come (send the unsent first).
    bool handshake();
    /// Plain bytes out of the records that are there; 0: more records must come.
    std::size_t decrypt(char* target, std::size_t room);
    void encrypt(std::string_view plain);
    /// Says goodbye; what it writes is unsent.
    void close();

    Buffer& received() { return received_; }  ///< records as they came
    std::string_view unsent() const { return std::string_view(to_send_).substr(sent_); }
    void sent(std::size_t bytes);
    /// Gives memory back that an idle connection does not need.
    void rest() { received_.release_if_empty(); }

    /// Common name of the peer's certificate, if it has shown one (it was verified in the handshake).
    std::optional<std::string> peer_name() const;
    /// What went wrong last, in OpenSSL's words.
    const std::string& failure() const { return failure_; }
    /// `tls-server-end-point` of the certificate that a server has shown.
    std::string peer_hash() const;
    SSL* ssl() const { return ssl_; }

   private:
    void attach();
    [[noreturn]] void fail(int result);

    SSL* ssl_ = nullptr;
    bool own_ = false;
    Buffer received_;
    std::string to_send_;
    std::size_t sent_ = 0;
    std::string failure_;
    friend struct TlsPipe;
};

}  // namespace pgmosaic::backend
