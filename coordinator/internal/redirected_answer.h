#pragma once

#include "coordinator/session.h"

namespace pgmosaic::coordinator {

/// What an executor answers goes to the sink, not to the client or portal it went to before, until this ends. What is left in `room`
/// then is the caller's to give to the sink.
class RedirectedAnswer {
   public:
    RedirectedAnswer(Session& session, AnswerSink& sink) : session_(session), kept_(&session.answer()) {
        if (kept_ == &session.client().out()) kept_ = nullptr;
        session_.redirect_answer(&sink, &room);
    }
    ~RedirectedAnswer() { session_.redirect_answer(nullptr, kept_); }
    RedirectedAnswer(const RedirectedAnswer&) = delete;
    RedirectedAnswer& operator=(const RedirectedAnswer&) = delete;
    std::string room;

   private:
    Session& session_;
    std::string* kept_;
};

}  // namespace pgmosaic::coordinator
