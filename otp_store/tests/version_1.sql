-- An empty store as version 1 of the schema made it.
CREATE TABLE owner (
    id          INTEGER PRIMARY KEY,
    name        TEXT    NOT NULL UNIQUE,
    record      BLOB    NOT NULL,
    sealing_key INTEGER NOT NULL,
    mac         BLOB    NOT NULL
) STRICT;

-- Where the entries and credentials of the records are, to find the record.
CREATE TABLE entry (
    account TEXT    NOT NULL,
    key     TEXT    NOT NULL,   -- SHA256:…, or empty for logins without a key
    owner   INTEGER NOT NULL REFERENCES owner (id),
    PRIMARY KEY (account, key)
) STRICT, WITHOUT ROWID;
CREATE INDEX entry_owner ON entry (owner);
CREATE TABLE credential (
    id    TEXT    PRIMARY KEY,
    owner INTEGER NOT NULL REFERENCES owner (id)
) STRICT, WITHOUT ROWID;
CREATE INDEX credential_owner ON credential (owner);

-- Requests that were answered, to answer them again.
CREATE TABLE request (
    id     BLOB    PRIMARY KEY,
    uid    INTEGER NOT NULL,
    digest BLOB    NOT NULL,
    at     INTEGER NOT NULL,
    answer BLOB    NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX request_at ON request (at);

CREATE TABLE audit (
    id      INTEGER PRIMARY KEY AUTOINCREMENT,
    at      INTEGER NOT NULL,
    verdict TEXT    NOT NULL,
    reason  TEXT    NOT NULL,
    account TEXT    NOT NULL,
    owner   TEXT    NOT NULL,
    service TEXT    NOT NULL,
    key     TEXT    NOT NULL,
    address TEXT    NOT NULL,
    peer    INTEGER NOT NULL,
    claimed INTEGER NOT NULL
) STRICT;
CREATE INDEX audit_account ON audit (account, id);
PRAGMA application_id = 1868657768;
PRAGMA user_version = 1;
