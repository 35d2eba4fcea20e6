-- Old keys are found by their age, and rows lie in the order of their age: a range of blocks knows its times in one entry, where a tree took one
-- for every command. A twentieth of a commit's work, for an index that is read once an hour.
DROP INDEX ix_ledger_command_at;
CREATE INDEX ix_ledger_command_age ON ledger_command USING brin (at) WITH (autosummarize = on);
