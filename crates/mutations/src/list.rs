//! The bugs: what is written in the store's source, and what somebody might have written instead.

/// One bug.
pub(crate) struct Mutation {
    pub(crate) name: &'static str,
    pub(crate) file: &'static str,
    /// Stands in the file exactly once.
    pub(crate) from: &'static str,
    pub(crate) to: &'static str,
    /// Test programs that are to notice it besides the proof.
    pub(crate) tests: &'static [&'static str],
}

const fn bug(name: &'static str, file: &'static str, from: &'static str, to: &'static str) -> Mutation {
    Mutation { name, file, from, to, tests: &[] }
}

/// One in what encrypted stores have more.
const fn sealed(name: &'static str, file: &'static str, from: &'static str, to: &'static str) -> Mutation {
    // The reader in Python knows by itself what tags cover.
    Mutation { name, file, from, to, tests: &["tamper", "python_reader"] }
}

pub(crate) const MUTATIONS: &[Mutation] = &[
    bug(
        "the watermark of frames is always 0",
        "src/log/append.rs",
        "            watermark: self.watermark,",
        "            watermark: 0,",
    ),
    bug(
        "the watermarks behind damage are not looked for",
        "src/log/tail.rs",
        "            tail.watermark = tail.watermark.max(header.watermark);",
        "            let _ = header.watermark;",
    ),
    bug(
        "the watermark slot is not believed",
        "src/engine/recover.rs",
        "    ours.map(|slot| slot.watermark).max().unwrap_or(0)",
        "    ours.map(|slot| slot.watermark.min(0)).max().unwrap_or(0)",
    ),
    bug(
        "a slot's checksum is not checked",
        "src/format/slot.rs",
        "        if input.u64()? != u64::from(crc32fast::hash(covered)) {",
        "        if input.u64()? == u64::MAX {",
    ),
    Mutation {
        tests: &["damage"],
        ..bug(
            "the chain of frames is not checked",
            "src/format/frame.rs",
            "        if header.chain != self.chain {",
            "        if header.chain == self.chain && header.sequence == 0 {",
        )
    },
    bug(
        "a frame's length is followed before its checksum",
        "src/format/frame.rs",
        "        if seed.crc(offset, &[covered]) != crc {",
        "        if crc == 0 {",
    ),
    bug(
        "an operation's checksum is not checked",
        "src/format/operation.rs",
        "        if seed.crc(offset, &[head, content]) != crc {",
        "    if crc == 0 {",
    ),
    Mutation {
        tests: &["damage"],
        ..bug(
            "a frame's body checksum is not checked",
            "src/format/frame_body.rs",
            "    if hasher.finalize() == header.body_crc { Ok(()) }",
            "    if hasher.finalize() == header.body_crc || !body.is_empty() { Ok(()) }",
        )
    },
    bug(
        "two different file headers are accepted",
        "src/engine/recover.rs",
        "        (Ok(_), Ok(_)) if first != second => {",
        "        (Ok(_), Ok(_)) if first.len() != second.len() => {",
    ),
    bug(
        "a commit is shown before its sync",
        "src/log/append.rs",
        "            Ok(()) => self.sync().map_err(|error| {",
        "            Ok(()) => Ok::<(), std::io::Error>(()).map_err(|error| {",
    ),
    bug(
        "a log gets its name before it is synced",
        "src/engine/build.rs",
        "        self.appender.write(frame, self.head(Kind::Seal))?;\n        self.sync_file()",
        "        self.appender.write(frame, self.head(Kind::Seal))?;\n        Ok(())",
    ),
    bug(
        "a log's name is not synced",
        "src/engine/build.rs",
        "        self.directory.sync()?;\n        Ok(self.appender.clone())",
        "        Ok(self.appender.clone())",
    ),
    bug(
        "a log is sealed before its rows are synced",
        "src/engine/rewrite.rs",
        "        built.log.sync()?;\n        built.log.seal(built.replayed.index.len())?;",
        "        built.log.seal(built.replayed.index.len() + 1)?;",
    ),
    Mutation {
        tests: &["faults"],
        ..bug(
            "the room for frames is not synced before it is used",
            "src/log/append.rs",
            "            match self.file.sync() {\n                Ok(()) => self.capacity = written,",
            "            match Ok::<(), std::io::Error>(()) {\n                Ok(()) => self.capacity = written,",
        )
    },
    bug(
        "bytes that may not be durable are not written again",
        "src/engine/recover.rs",
        "        if let Some((_, last)) = scanner.last().filter(|_| proved < end) {",
        "        if let Some((_, last)) = scanner.last().filter(|_| proved > end) {",
    ),
    bug(
        "they are written in place without a copy",
        "src/engine/redo.rs",
        "    save(directory, &Wiped::from(redo::encode(header, pending.offset, &pending.bytes)))?;\n    write_back",
        "    let _ = (save, header);\n    write_back",
    ),
    bug(
        "a torn tail is adopted instead of zeroed",
        "src/engine/recover.rs",
        "append::write_zeros(self.file.as_ref(), offset, tail.end).and_then(|()| self.file.sync());",
        "append::write_zeros(self.file.as_ref(), offset, offset).and_then(|()| self.file.sync());",
    ),
    bug(
        "a torn tail is not kept aside",
        "src/engine/recover.rs",
        "        let quarantine = tail_file::keep(self.directory, self.file.as_ref(), header.generation, offset, tail.end);",
        "        let quarantine = tail_file::keep(self.directory, self.file.as_ref(), header.generation, offset, offset + (64 << 30));",
    ),
    Mutation {
        tests: &["damage"],
        ..bug(
            "ids in a torn tail are given again",
            "src/engine/recover.rs",
            "    counters.raise(link.next_id + skipped, link.next_revision + skipped);\n    counters.raise_on_hearsay(tail.next_id, tail.next_revision);\n",
            "    let _ = skipped;\n",
        )
    },
    bug(
        "the id counter is lost in a compaction",
        "src/engine/build.rs",
        "            next_id: self.counters.next_id.max(next_id),",
        "            next_id: next_id.max(self.counters.next_id.min(1)),",
    ),
    bug(
        "a compaction leaves the last row out",
        "src/engine/rewrite.rs",
        "        for origin in &origins {\n            self.check_usable()?;\n            match origin {",
        "        for origin in origins.iter().take(origins.len().saturating_sub(1)) {\n            self.check_usable()?;\n            match origin {",
    ),
    Mutation {
        tests: &["model"],
        ..bug(
            "an old key stays in the index",
            "src/index/mod.rs",
            "            if let Some(key) = before.column(column).filter(|key| view.column(column) != Some(key)) {",
            "            if let Some(key) = before.column(column).filter(|key| view.column(column) == Some(key)) {",
        )
    },
    Mutation {
        tests: &["collisions"],
        ..bug(
            "keys are compared by their hash alone",
            "src/index/mod.rs",
            "            if read.view(|view| view.column(column) == Some(key)) {",
            "            if read.view(|view| view.column(column).is_some()) {",
        )
    },
    bug(
        "ids tell their rows although one was left out",
        "src/index/mod.rs",
        "        self.ids_from = from.filter(|_| row == 0 || from == self.ids_from);",
        "        self.ids_from = from.filter(|_| row == 0).or(self.ids_from);",
    ),
    bug(
        "an id is taken for a new one because it is a number",
        "src/index/build.rs",
        "        let is_new = number.is_some_and(|number| number >= self.next_number);",
        "        let is_new = number.is_some();",
    ),
    bug(
        "a key that an earlier save of the batch took counts as nobody's",
        "src/overlay.rs",
        "                && !self.may_have(column, key)\n",
        "",
    ),
    Mutation {
        tests: &["long_logs"],
        ..bug(
            "a long log's frames need not follow one another",
            "src/log/burst.rs",
            "        self.before.after(&self.header, self.crc, &operations)?;\n",
            "",
        )
    },
    Mutation {
        tests: &["batches"],
        ..bug(
            "a refused call leaves its changes to the batch",
            "src/overlay.rs",
            "        while let Some(undo) = self.undo.pop() {",
            "        while let Some(undo) = self.undo.pop().filter(|_| false) {",
        )
    },
    bug(
        "what cannot be read is another key",
        "src/index/mod.rs",
        "            source.read_into(at, read)?;\n",
        "            if source.read_into(at, read).is_err() {\n                continue;\n            }\n",
    ),
    bug(
        "a failed sync does not stop writing",
        "src/engine/commit.rs",
        "            self.engine.lock_file.page.set_sync_failed(true);",
        "            self.engine.lock_file.page.set_sync_failed(false);",
    ),
    bug(
        "a failed write leaves its bytes",
        "src/log/append.rs",
        "        let zeroed = write_zeros(self.file.as_ref(), self.end, self.end + len).and_then(|()| self.file.sync());",
        "        let zeroed = write_zeros(self.file.as_ref(), self.end + len, self.end + len).and_then(|()| self.file.sync());",
    ),
    Mutation {
        tests: &["full_disk", "faults"],
        ..bug(
            "deletes have no reserve",
            "src/log/append.rs",
            "        let reserve = if room == Room::Ordinary { RESERVE_LEN } else { 0 };",
            "        let reserve = if room == Room::Ordinary { 0 } else { RESERVE_LEN };",
        )
    },
    Mutation {
        tests: &["salvage"],
        ..bug(
            "a salvage takes what nobody was told of",
            "src/engine/salvage/mod.rs",
            "                Step::Damage(Damaged { from, reason, .. }) if from >= durable => {",
            "                Step::Damage(Damaged { from, reason, .. }) if from >= durable + (1 << 40) => {",
        )
    },
    Mutation {
        tests: &["refresh_deaths"],
        ..bug(
            "a lease is let go before its answer is saved",
            "src/engine/lease.rs",
            "        let _ = self.file.try_lock(self.claim.byte, Lock::Unlocked);",
            "        let _ = self.file.try_lock(self.claim.byte, Lock::Shared);",
        )
    },
    sealed(
        "a frame's tag is not checked",
        "src/format/frame_body.rs",
        "    if !is_genuine || previous",
        "    if !is_genuine && head.is_empty() || previous",
    ),
    sealed(
        "a frame's tag does not cover the frame before",
        "src/format/seal/keys.rs",
        "head, previous, operations.as_flattened()];",
        "head, &previous[..0], operations.as_flattened()];",
    ),
    sealed(
        "a frame's tag does not cover its operations",
        "src/format/seal/keys.rs",
        "head, previous, operations.as_flattened()];",
        "head, previous, &operations.as_flattened()[..0]];",
    ),
    sealed(
        "a frame's tag does not cover its header",
        "src/format/seal/keys.rs",
        "head, previous, operations.as_flattened()];",
        "&head[..0], previous, operations.as_flattened()];",
    ),
    sealed(
        "the file header has no tag",
        "src/engine/head.rs",
        "            first = first.with_tag(keys.header_tag(covered));",
        "            let _ = (keys, covered);\n            first = first.with_tag([0; 16]);",
    ),
    sealed(
        "a sealed operation is bound to no place",
        "src/format/seal/keys.rs",
        "        let parts = [&self.uuid[..], &self.generation.to_le_bytes(), &offset.to_le_bytes(), head];",
        "        let parts = [&self.uuid[..], &self.generation.to_le_bytes(), &(offset / u64::MAX).to_le_bytes(), &head[..4]];",
    ),
    sealed(
        "a forged frame at the end passes for a torn tail",
        "src/engine/head.rs",
        "        DecodeError::Forged { .. } => Err(",
        "        DecodeError::Forged { what: \"nothing\" } => Err(",
    ),
    sealed(
        "a wrong key is not told by its commitment",
        "src/format/seal/envelope.rs",
        "    if !bool::from(commitment(outer, header).ct_eq(&header.key_commitment)) {",
        "    if commitment(outer, header) == [0; KEY_LEN] {",
    ),
    sealed(
        "a plain log opens with a key",
        "src/engine/head.rs",
        "            Self::Sealed(_) => Err(Error::NotEncrypted { path: path.into() }),",
        "            Self::Sealed(_) => Ok(()),",
    ),
];
