#include "backend/tls.h"

#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <boost/asio/error.hpp>
#include <boost/asio/ip/address.hpp>
#include <boost/system/system_error.hpp>
#include <climits>
#include <cstring>

namespace pgmosaic::backend {

namespace {

constexpr std::size_t kKeepBytes = 65536;

std::string openssl_words() {
    const unsigned long code = ERR_get_error();
    ERR_clear_error();
    if (code == 0) return "the peer ended the connection";
    const char* reason = ERR_reason_error_string(code);
    return reason != nullptr ? reason : "error " + std::to_string(code);
}

Error file_error(const char* what, const std::string& file) {
    return Error{.code = sqlstate::kConfigFileError, .message = std::string("could not load ") + what + " \"" + file + "\": " + openssl_words()};
}

/// PostgreSQL's own rule: a key that others can read is no secret (root's may be read by its group).
Result<void> check_key_file(const std::string& file) {
    struct stat facts {};
    if (::stat(file.c_str(), &facts) != 0) {
        return Error{.code = sqlstate::kConfigFileError,
                     .message = "could not access private key file \"" + file + "\": " + std::strerror(errno)};
    }
    const mode_t others = facts.st_uid == 0 ? S_IWGRP | S_IXGRP | S_IRWXO : S_IRWXG | S_IRWXO;
    if ((facts.st_mode & others) == 0) return {};
    return Error{.code = sqlstate::kConfigFileError,
                 .message = "private key file \"" + file + "\" has group or world access",
                 .hint = "File must have permissions u=rw (0600) or less if owned by pgmosaic's user, or u=rw,g=r (0640) or less if owned by root."};
}

/// A key with a passphrase is refused: nobody is there to type it.
int no_passphrase(char*, int, int, void*) { return 0; }

SSL_CTX* new_context(const SSL_METHOD* method) {
    SSL_CTX* context = SSL_CTX_new(method);
    PGM_CHECK(context != nullptr, "OpenSSL has memory for a context");
    SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
    SSL_CTX_set_mode(context, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_options(context, SSL_OP_NO_TICKET | SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION | SSL_OP_CIPHER_SERVER_PREFERENCE);
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_num_tickets(context, 0);
    SSL_CTX_set_default_passwd_cb(context, no_passphrase);
    return context;
}

bool is_address(const std::string& host) {
    boost::system::error_code error;
    boost::asio::ip::make_address(host, error);
    return !error;
}

}  // namespace

/// A BIO whose far end is the channel's two buffers.
struct TlsPipe {
    static TlsChannel& channel(BIO* bio) { return *static_cast<TlsChannel*>(BIO_get_data(bio)); }
    static int write(BIO* bio, const char* bytes, int count) {
        channel(bio).to_send_.append(bytes, static_cast<std::size_t>(count));
        return count;
    }
    static int read(BIO* bio, char* target, int room) {
        BIO_clear_retry_flags(bio);
        Buffer& received = channel(bio).received_;
        const std::string_view there = received.unread();
        if (there.empty()) {
            BIO_set_retry_read(bio);
            return -1;
        }
        const std::size_t count = std::min(there.size(), static_cast<std::size_t>(room));
        std::memcpy(target, there.data(), count);
        received.consume(count);
        return static_cast<int>(count);
    }
    static long control(BIO*, int command, long, void*) { return command == BIO_CTRL_FLUSH ? 1 : 0; }
    static const BIO_METHOD* method() {
        static BIO_METHOD* const kMethod = [] {
            BIO_METHOD* made = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "pgmosaic buffers");
            BIO_meth_set_write(made, write);
            BIO_meth_set_read(made, read);
            BIO_meth_set_ctrl(made, control);
            return made;
        }();
        return kMethod;
    }
};

Result<std::shared_ptr<const TlsContext>> TlsContext::for_clients(const TlsFiles& files) {
    ERR_clear_error();
    std::shared_ptr<TlsContext> made(new TlsContext(new_context(TLS_server_method())));
    SSL_CTX* context = made->get();
    if (SSL_CTX_use_certificate_chain_file(context, files.certificate.c_str()) != 1) {
        return file_error("server certificate file", files.certificate);
    }
    if (auto checked = check_key_file(files.key); !checked) return checked.error();
    if (SSL_CTX_use_PrivateKey_file(context, files.key.c_str(), SSL_FILETYPE_PEM) != 1) {
        return file_error("private key file", files.key);
    }
    if (SSL_CTX_check_private_key(context) != 1) return file_error("the key of the certificate, private key file", files.key);
    made->certificate_hash_ = end_point_hash(SSL_CTX_get0_certificate(context));
    if (!files.client_ca.empty()) {
        STACK_OF(X509_NAME)* names = SSL_load_client_CA_file(files.client_ca.c_str());
        if (names == nullptr || SSL_CTX_load_verify_locations(context, files.client_ca.c_str(), nullptr) != 1) {
            sk_X509_NAME_pop_free(names, X509_NAME_free);
            return file_error("root certificate file", files.client_ca);
        }
        SSL_CTX_set_client_CA_list(context, names);
        // A client may come without a certificate; one that shows a wrong one fails the handshake, as in PostgreSQL.
        SSL_CTX_set_verify(context, SSL_VERIFY_PEER | SSL_VERIFY_CLIENT_ONCE, nullptr);
    }
    return std::shared_ptr<const TlsContext>(std::move(made));
}

Result<std::shared_ptr<const TlsContext>> TlsContext::for_servers(const std::string& ca) {
    ERR_clear_error();
    std::shared_ptr<TlsContext> made(new TlsContext(new_context(TLS_client_method())));
    if (!ca.empty()) {
        if (SSL_CTX_load_verify_locations(made->get(), ca.c_str(), nullptr) != 1) return file_error("root certificate file", ca);
        SSL_CTX_set_verify(made->get(), SSL_VERIFY_PEER, nullptr);
    }
    return std::shared_ptr<const TlsContext>(std::move(made));
}

std::string end_point_hash(X509* certificate) {
    int digest = NID_undef;
    if (certificate == nullptr || OBJ_find_sigid_algs(X509_get_signature_nid(certificate), &digest, nullptr) != 1) return {};
    const EVP_MD* algorithm = digest == NID_md5 || digest == NID_sha1 ? EVP_sha256() : EVP_get_digestbynid(digest);
    unsigned char hash[EVP_MAX_MD_SIZE];
    unsigned int bytes = 0;
    if (algorithm == nullptr || X509_digest(certificate, algorithm, hash, &bytes) != 1) return {};
    return {reinterpret_cast<const char*>(hash), bytes};
}

TlsChannel::TlsChannel(const TlsContext& context, Role role, const std::string& host) : ssl_(SSL_new(context.get())), own_(true) {
    PGM_CHECK(ssl_ != nullptr, "OpenSSL has memory for a connection");
    attach();
    if (role == Role::kServer) {
        SSL_set_accept_state(ssl_);
        return;
    }
    SSL_set_connect_state(ssl_);
    if (host.empty()) return;
    if (is_address(host)) {
        X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl_), host.c_str());
    } else {
        SSL_set1_host(ssl_, host.c_str());
        SSL_set_tlsext_host_name(ssl_, host.c_str());
    }
}

TlsChannel::TlsChannel(SSL* libpq) : ssl_(libpq) { attach(); }

TlsChannel::~TlsChannel() {
    if (own_) {
        SSL_free(ssl_);
        return;
    }
    // libpq says its own goodbye through it, into nothing.
    BIO* nowhere = BIO_new(BIO_s_null());
    SSL_set_bio(ssl_, nowhere, nowhere);
}

void TlsChannel::attach() {
    BIO* bio = BIO_new(TlsPipe::method());
    PGM_CHECK(bio != nullptr, "OpenSSL has memory for a BIO");
    BIO_set_data(bio, this);
    BIO_set_init(bio, 1);
    SSL_set_bio(ssl_, bio, bio);
}

bool TlsChannel::handshake() {
    ERR_clear_error();
    const int result = SSL_do_handshake(ssl_);
    if (result == 1) return true;
    if (SSL_get_error(ssl_, result) != SSL_ERROR_WANT_READ) fail(result);
    return false;
}

std::size_t TlsChannel::decrypt(char* target, std::size_t room) {
    ERR_clear_error();
    const int count = SSL_read(ssl_, target, static_cast<int>(std::min<std::size_t>(room, INT_MAX)));
    if (count > 0) return static_cast<std::size_t>(count);
    if (SSL_get_error(ssl_, count) != SSL_ERROR_WANT_READ) fail(count);
    return 0;
}

void TlsChannel::encrypt(std::string_view plain) {
    while (!plain.empty()) {
        ERR_clear_error();
        const int count = SSL_write(ssl_, plain.data(), static_cast<int>(std::min<std::size_t>(plain.size(), INT_MAX)));
        if (count <= 0) fail(count);
        plain.remove_prefix(static_cast<std::size_t>(count));
    }
}

void TlsChannel::close() {
    ERR_clear_error();
    SSL_shutdown(ssl_);
    ERR_clear_error();
}

void TlsChannel::sent(std::size_t bytes) {
    sent_ += bytes;
    if (sent_ < to_send_.size()) return;
    to_send_.clear();
    sent_ = 0;
    if (to_send_.capacity() > kKeepBytes) to_send_.shrink_to_fit();
}

std::optional<std::string> TlsChannel::peer_name() const {
    X509* certificate = SSL_get0_peer_certificate(ssl_);
    if (certificate == nullptr || SSL_get_verify_result(ssl_) != X509_V_OK) return std::nullopt;
    X509_NAME* subject = X509_get_subject_name(certificate);
    const int place = X509_NAME_get_index_by_NID(subject, NID_commonName, -1);
    if (place < 0) return std::nullopt;
    unsigned char* text = nullptr;
    const int bytes = ASN1_STRING_to_UTF8(&text, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, place)));
    if (bytes < 0) return std::nullopt;
    std::string name(reinterpret_cast<char*>(text), static_cast<std::size_t>(bytes));
    OPENSSL_free(text);
    // "anna\0.example.org" must not be taken for "anna" by whoever reads a C string.
    if (name.find('\0') != std::string::npos) return std::nullopt;
    return name;
}

std::string TlsChannel::peer_hash() const { return end_point_hash(SSL_get0_peer_certificate(ssl_)); }

void TlsChannel::fail(int result) {
    const int kind = SSL_get_error(ssl_, result);
    if (kind == SSL_ERROR_ZERO_RETURN) throw boost::system::system_error(boost::asio::error::eof);
    const long verified = SSL_get_verify_result(ssl_);
    failure_ = openssl_words();
    if (verified != X509_V_OK) failure_ += std::string(" (") + X509_verify_cert_error_string(verified) + ")";
    throw boost::system::system_error(boost::asio::error::connection_reset);
}

}  // namespace pgmosaic::backend
