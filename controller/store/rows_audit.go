package store

// AuditHead is where the audit's chain ends, written with each entry: whoever
// removes the newest ones has to change this as well, and the next entry goes on
// from here and shows the gap. Meta.ID is AuditHeadID.
type AuditHead struct {
	Seq  uint64 `json:"seq" inventory:"number of the newest entry;none-personal;life"`
	Hash []byte `json:"hash" inventory:"hash of the newest entry;none-personal;life"`
}

// AuditHeadID is the id of the one AuditHead.
const AuditHeadID = "head"

func (AuditHead) Table() Kind      { return KindHead }
func (AuditHead) Indexes() []Index { return nil }
