#pragma once

#include <array>
#include <string_view>

// Words that the sample's rows are made of. Some are there to trip careless code: quotes, backslashes, several scripts.
namespace pgmosaic::cli::words {

inline constexpr std::array<std::string_view, 32> kFirstNames{
    "Anna",  "Bela",   "Chloé",  "Dmitri", "Eszter", "Farid",  "Grace",  "Håkon",   "Ines",   "Jörg",   "Katarzyna",
    "Liam",  "Mei",    "Nadia",  "Óscar",  "Priya",  "Quentin", "Rosa",  "Søren",   "Tomáš",  "Ursula", "Valentina",
    "Wendy", "Xiomara", "Yusuf", "Zoë",    "Александр", "Ольга", "美咲",  "明",      "Γιώργος", "شيرين"};

inline constexpr std::array<std::string_view, 32> kLastNames{
    "Smith",  "O'Brien", "D'Angelo", "Müller",  "García",   "Nguyễn", "Kowalski", "Papadopoulos", "van der Berg", "Haddad", "Ivanov",
    "Tanaka", "Østergaard", "Çelik",  "Novák",  "Silva",    "Jensen", "Rossi",    "Dubois",       "Kaya",        "Singh",  "Chen",
    "Okafor", "MacLeod", "Szabó",    "Åberg",   "Fernández", "Weiß",  "Moreau",   "Popescu",      "Kim",         "Žukauskas"};

inline constexpr std::array<std::string_view, 8> kRegions{"north", "south", "east", "west", "islands", "capital", "coast", "mountains"};

inline constexpr std::array<std::string_view, 10> kCategories{"books",  "kitchen", "garden", "toys",  "music",
                                                              "sports", "office",  "pets",   "tools", "food & drink"};

inline constexpr std::array<std::string_view, 16> kAdjectives{"small",  "large", "red",    "blue",    "folding", "wooden", "silent", "heavy",
                                                              "bright", "plain", "double", "classic", "Nordic",  "1/2\"",  "eco",    "crème"};

inline constexpr std::array<std::string_view, 20> kNouns{"lamp", "kettle", "chair", "guitar", "puzzle", "rake",     "notebook", "ball",   "leash", "hammer",
                                                         "tea",  "novel",  "pan",   "kite",   "flute",  "backpack", "stapler",  "basket", "drill", "honey"};

inline constexpr std::array<std::string_view, 10> kStreets{"High Street",     "Rue de l'Église", "Hauptstraße", "Calle Mayor", "Via Roma",
                                                           "C:\\Park Lane",   "Ulica \"Nowa\"",  "Kungsgatan",  "Main St.",    "大通り"};

inline constexpr std::array<std::string_view, 12> kNotes{
    "please ring twice",
    "customer said: \"it's urgent\"",
    "leave at the neighbour's",
    "",
    "two lines:\nsecond line",
    "tab\there",
    "path C:\\temp\\new",
    "gift wrap 🎁, no invoice",
    "50% off; see #1234",
    "NULL",
    "\\N",
    "привет, мир"};

inline constexpr std::array<std::string_view, 6> kStatuses{"delivered", "shipped", "paid", "pending", "cancelled", "returned"};

}  // namespace pgmosaic::cli::words
