//! A shared library as the loader sees it: segments, dynamic table, symbols, relocations. Hostile input gives an error.

use super::StaticsError;
use object::LittleEndian as LE;
use object::elf::{
    DF_TEXTREL, DT_GNU_HASH, DT_HASH, DT_JMPREL, DT_NULL, DT_PLTREL, DT_PLTRELSZ, DT_RELA, DT_RELASZ,
    DT_STRSZ, DT_STRTAB, DT_SYMTAB, Dyn64, DynamicTag, EM_X86_64, ET_DYN, FileHeader64, PF_R, PF_W, PF_X,
    PT_DYNAMIC, PT_GNU_STACK, PT_LOAD, ProgramHeader64, Rela64, SHF_ALLOC, SHF_EXECINSTR, SHN_UNDEF,
    SHT_SYMTAB, STB_GLOBAL, STB_GNU_UNIQUE, STB_WEAK, STT_FUNC, STT_GNU_IFUNC, STV_HIDDEN, STV_INTERNAL,
    SectionHeader64, Sym64,
};
use object::read::ReadRef;
use object::read::elf::{GnuHashTable, HashTable};
use std::collections::BTreeMap;

/// Page of x86-64: what the loader maps is rounded to it.
const PAGE: u64 = 4096;

/// Most segments and most entries of the dynamic table; libraries have a dozen and two dozen. With the limits on names they
/// keep the work on a hostile file in proportion to its size.
const MOST_SEGMENTS: usize = 64;
const MOST_ENTRIES: usize = 4096;

/// Most bytes in a name, and in all names together.
const LONGEST_NAME: usize = 64 << 10;
const LONGEST_NAMES: usize = 64 << 20;

/// A range that the loader maps.
#[derive(Debug, Clone, Copy)]
pub(super) struct Segment {
    pub address: u64,
    /// Bytes in memory.
    pub memory: u64,
    offset: u64,
    /// Bytes from the file.
    file: u64,
    pub write: bool,
    pub execute: bool,
}

impl Segment {
    /// First address of its first page, first address behind its last.
    pub fn pages(&self) -> (u64, u64) {
        let end = self.address.saturating_add(self.memory);
        (self.address - self.address % PAGE, end.checked_next_multiple_of(PAGE).unwrap_or(u64::MAX))
    }
}

/// A symbol of the dynamic table.
#[derive(Debug, Clone)]
pub(super) struct Symbol {
    pub name: String,
    pub address: u64,
    pub defined: bool,
    /// Others can bind to it.
    pub visible: bool,
    /// Weak or unique: what compilers emit for inline functions and templates.
    pub vague: bool,
    pub function: bool,
    /// Its address is computed by a function of the library, when it is loaded.
    pub resolver: bool,
}

/// A place that the loader fills.
#[derive(Debug, Clone, Copy)]
pub(super) struct Relocation {
    pub address: u64,
    pub kind: u32,
    pub symbol: usize,
    pub addend: u64,
}

/// A section with code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Code {
    pub name: String,
    pub address: u64,
    pub size: u64,
}

/// The library.
pub(super) struct Image<'a> {
    file: &'a [u8],
    pub segments: Vec<Segment>,
    /// The flag that asks for an executable stack; a library without the header gets one, too.
    pub stack: bool,
    pub dynamic: Vec<(DynamicTag, u64)>,
    pub symbols: Vec<Symbol>,
    pub relocations: Vec<Relocation>,
    /// By address.
    pub code: Vec<Code>,
    /// Functions by address, for messages and as places where code begins.
    pub functions: BTreeMap<u64, String>,
    strings: &'a [u8],
}

const fn malformed(what: &'static str) -> StaticsError {
    StaticsError::Malformed { what }
}

impl<'a> Image<'a> {
    /// Reads a library.
    pub fn parse(file: &'a [u8]) -> Result<Self, StaticsError> {
        if !file.starts_with(b"\x7fELF") {
            return Err(StaticsError::NotElf);
        }
        let header: &FileHeader64<LE> = file.read_at(0).map_err(|()| malformed("it is too short"))?;
        identify(header)?;
        let mut image = Self {
            file,
            segments: Vec::new(),
            stack: true,
            dynamic: Vec::new(),
            symbols: Vec::new(),
            relocations: Vec::new(),
            code: Vec::new(),
            functions: BTreeMap::new(),
            strings: &[],
        };
        image.map(header)?;
        image.read_strings()?;
        image.read_relocations()?;
        image.read_symbols()?;
        image.read_sections(header);
        Ok(image)
    }

    fn map(&mut self, header: &FileHeader64<LE>) -> Result<(), StaticsError> {
        if usize::from(header.e_phentsize.get(LE)) != size_of::<ProgramHeader64<LE>>() {
            return Err(malformed("program headers have another size"));
        }
        let count = usize::from(header.e_phnum.get(LE));
        if count > MOST_SEGMENTS {
            return Err(malformed("it has too many segments"));
        }
        let headers: &[ProgramHeader64<LE>] = self
            .file
            .read_slice_at(header.e_phoff.get(LE), count)
            .map_err(|()| malformed("program headers lie outside the file"))?;
        let mut dynamic = None;
        for header in headers {
            match header.p_type.get(LE) {
                PT_LOAD => self.add_segment(header)?,
                PT_DYNAMIC if dynamic.is_some() => return Err(malformed("it has two dynamic tables")),
                PT_DYNAMIC => dynamic = Some((header.p_vaddr.get(LE), header.p_filesz.get(LE))),
                PT_GNU_STACK => self.stack = header.p_flags.get(LE).contains(PF_X),
                _ => {}
            }
        }
        for pair in self.segments.windows(2) {
            if pair[0].pages().1 > pair[1].pages().0 {
                return Err(malformed("segments overlap"));
            }
        }
        let (address, size) = dynamic.ok_or(malformed("it has no dynamic table"))?;
        let bytes = self.at(address, size).ok_or(malformed("the dynamic table lies outside the file"))?;
        let entries: &[Dyn64<LE>] = bytes
            .read_slice_at(0, bytes.len() / size_of::<Dyn64<LE>>())
            .map_err(|()| malformed("the dynamic table is cut off"))?;
        let entries = entries.iter().map(|entry| (entry.d_tag.get(LE), entry.d_val.get(LE)));
        self.dynamic = entries.take_while(|(tag, _)| *tag != DT_NULL).take(MOST_ENTRIES + 1).collect();
        if self.dynamic.len() > MOST_ENTRIES {
            return Err(malformed("its dynamic table is too long"));
        }
        Ok(())
    }

    fn add_segment(&mut self, header: &ProgramHeader64<LE>) -> Result<(), StaticsError> {
        let flags = header.p_flags.get(LE);
        let segment = Segment {
            address: header.p_vaddr.get(LE),
            memory: header.p_memsz.get(LE),
            offset: header.p_offset.get(LE),
            file: header.p_filesz.get(LE),
            write: flags.contains(PF_W),
            execute: flags.contains(PF_X),
        };
        let outside = segment.offset.checked_add(segment.file).is_none_or(|end| end > self.file.len() as u64);
        if outside || segment.file > segment.memory || segment.address.checked_add(segment.memory).is_none() {
            return Err(malformed("a segment lies outside the file"));
        }
        if segment.address % PAGE != segment.offset % PAGE {
            return Err(malformed("a segment's address and offset do not agree"));
        }
        let readable = flags.contains(PF_R) || segment.write || segment.execute;
        if readable && segment.memory > 0 {
            self.segments.push(segment);
        }
        Ok(())
    }

    /// Bytes of the file that lie at an address.
    pub fn at(&self, address: u64, size: u64) -> Option<&'a [u8]> {
        let end = address.checked_add(size)?;
        let holds = |segment: &&Segment| segment.address <= address && end <= segment.address + segment.file;
        let segment = self.segments.iter().find(holds)?;
        self.file.read_bytes_at(segment.offset + (address - segment.address), size).ok()
    }

    /// All bytes of the file from an address to the end of its segment.
    pub fn from(&self, address: u64) -> Option<&'a [u8]> {
        let holds =
            |segment: &&Segment| segment.address <= address && address < segment.address + segment.file;
        let segment = self.segments.iter().find(holds)?;
        self.at(address, segment.address + segment.file - address)
    }

    /// Bytes that the pages of a segment show, those around the segment included, with their first address.
    pub fn shown(&self, segment: &Segment) -> (u64, &'a [u8]) {
        let before = (segment.address % PAGE).min(segment.offset);
        let end = segment.offset + segment.file;
        let end = end.checked_next_multiple_of(PAGE).unwrap_or(end).min(self.file.len() as u64);
        let start = segment.offset - before;
        let bytes = self.file.read_bytes_at(start, end.saturating_sub(start)).unwrap_or_default();
        (segment.address - before, bytes)
    }

    /// The value of an entry of the dynamic table; the last, if it stands there twice, as the loader takes it.
    pub fn value(&self, tag: DynamicTag) -> Option<u64> {
        self.dynamic.iter().rev().find(|(found, _)| *found == tag).map(|(_, value)| *value)
    }

    /// Texts of all entries with a tag.
    pub fn texts(&self, tag: DynamicTag) -> Vec<String> {
        let values = self.dynamic.iter().filter(|(found, _)| *found == tag);
        values.map(|(_, value)| self.text(*value).unwrap_or_else(|| "?".to_owned())).collect()
    }

    /// Whether code is changed when it is loaded.
    pub fn text_relocations(&self) -> bool {
        use object::elf::{DT_FLAGS, DT_TEXTREL};
        let flags = self.value(DT_FLAGS).unwrap_or(0);
        self.value(DT_TEXTREL).is_some() || flags & DF_TEXTREL.0 != 0
    }

    /// The relocation at an address; the last of several, whose value stays.
    pub fn relocation(&self, address: u64) -> Option<&Relocation> {
        let behind = self.relocations.partition_point(|relocation| relocation.address <= address);
        self.relocations[..behind].last().filter(|relocation| relocation.address == address)
    }

    fn text(&self, at: u64) -> Option<String> {
        c_text(self.strings, at)
    }

    fn read_strings(&mut self) -> Result<(), StaticsError> {
        let address = self.value(DT_STRTAB).ok_or(malformed("it has no names"))?;
        let size = self.value(DT_STRSZ).ok_or(malformed("its names have no size"))?;
        self.strings = self.at(address, size).ok_or(malformed("its names lie outside the file"))?;
        Ok(())
    }

    fn read_relocations(&mut self) -> Result<(), StaticsError> {
        if self.value(DT_PLTREL).is_some_and(|form| form != DT_RELA.0.cast_unsigned()) {
            return Err(malformed("its relocations are of another form"));
        }
        for (table, size) in [(DT_RELA, DT_RELASZ), (DT_JMPREL, DT_PLTRELSZ)] {
            let (Some(address), Some(size)) = (self.value(table), self.value(size)) else { continue };
            let outside = malformed("its relocations lie outside the file");
            let Some(bytes) = self.at(address, size) else { return Err(outside) };
            let entries: &[Rela64<LE>] =
                bytes.read_slice_at(0, bytes.len() / size_of::<Rela64<LE>>()).map_err(|()| outside)?;
            self.relocations.extend(entries.iter().map(|entry| Relocation {
                address: entry.r_offset.get(LE),
                kind: entry.r_type(LE, false).0,
                symbol: entry.r_sym(LE, false) as usize,
                addend: entry.r_addend.get(LE).cast_unsigned(),
            }));
        }
        // Stable: of several at one address the last stays the last.
        self.relocations.sort_by_key(|relocation| relocation.address);
        Ok(())
    }

    /// The table has no length of its own: it ends where neither hash tables nor relocations refer to it any more.
    fn count_symbols(&self) -> Result<usize, StaticsError> {
        let mut count = self.relocations.iter().map(|relocation| relocation.symbol + 1).max().unwrap_or(1);
        let broken = || malformed("its hash table is broken");
        if let Some(address) = self.value(DT_HASH) {
            let bytes = self.from(address).ok_or_else(broken)?;
            let table = HashTable::<FileHeader64<LE>>::parse(LE, bytes).map_err(|_| broken())?;
            count = count.max(table.symbol_table_length() as usize);
        }
        if let Some(address) = self.value(DT_GNU_HASH) {
            let bytes = self.from(address).ok_or_else(broken)?;
            let table = GnuHashTable::<FileHeader64<LE>>::parse(LE, bytes).map_err(|_| broken())?;
            let length = table.symbol_table_length(LE).unwrap_or_else(|| table.symbol_base());
            count = count.max(length as usize);
        }
        Ok(count)
    }

    fn read_symbols(&mut self) -> Result<(), StaticsError> {
        let outside = || malformed("its symbols lie outside the file");
        let address = self.value(DT_SYMTAB).ok_or(malformed("it has no symbols"))?;
        let size = self.count_symbols()?.checked_mul(size_of::<Sym64<LE>>()).ok_or_else(outside)?;
        let bytes = self.at(address, size as u64).ok_or_else(outside)?;
        let entries: &[Sym64<LE>] =
            bytes.read_slice_at(0, bytes.len() / size_of::<Sym64<LE>>()).map_err(|()| outside())?;
        let mut length = 0;
        for entry in entries {
            let name =
                self.text(entry.st_name.get(LE).into()).ok_or(malformed("a symbol's name is missing"))?;
            length += name.len();
            if length > LONGEST_NAMES {
                return Err(malformed("its names are too long"));
            }
            let (bind, kind) = (entry.st_bind(), entry.st_type());
            let hidden = [STV_HIDDEN, STV_INTERNAL].contains(&entry.st_visibility());
            let symbol = Symbol {
                address: entry.st_value.get(LE),
                defined: entry.st_shndx.get(LE) != SHN_UNDEF,
                visible: [STB_GLOBAL, STB_WEAK, STB_GNU_UNIQUE].contains(&bind) && !hidden,
                vague: [STB_WEAK, STB_GNU_UNIQUE].contains(&bind),
                function: kind == STT_FUNC,
                resolver: kind == STT_GNU_IFUNC,
                name,
            };
            if symbol.defined && (symbol.function || symbol.resolver) {
                self.functions.insert(symbol.address, symbol.name.clone());
            }
            self.symbols.push(symbol);
        }
        Ok(())
    }

    /// Sections are hints: what is broken among them is left out, and code outside of them is refused elsewhere.
    fn read_sections(&mut self, header: &FileHeader64<LE>) {
        if usize::from(header.e_shentsize.get(LE)) != size_of::<SectionHeader64<LE>>() {
            return;
        }
        let (at, count) = (header.e_shoff.get(LE), usize::from(header.e_shnum.get(LE)));
        let Ok(headers) = self.file.read_slice_at::<SectionHeader64<LE>>(at, count) else { return };
        let names = headers.get(usize::from(header.e_shstrndx.get(LE).0));
        let names = names.and_then(|section| self.contents(section)).unwrap_or_default();
        if let Some(section) = headers.iter().find(|section| section.sh_type.get(LE) == SHT_SYMTAB) {
            self.read_local_symbols(section, headers);
        }
        for section in headers {
            let flags = section.sh_flags.get(LE);
            if flags.contains(SHF_EXECINSTR) && flags.contains(SHF_ALLOC) {
                let name = c_text(names, section.sh_name.get(LE).into()).unwrap_or_default();
                let code = Code { name, address: section.sh_addr.get(LE), size: section.sh_size.get(LE) };
                if code.size > 0 && self.at(code.address, code.size).is_some() {
                    self.code.push(code);
                }
            }
        }
        self.code.sort_by_key(|code| code.address);
    }

    fn contents(&self, section: &SectionHeader64<LE>) -> Option<&'a [u8]> {
        self.file.read_bytes_at(section.sh_offset.get(LE), section.sh_size.get(LE)).ok()
    }

    fn read_local_symbols(&mut self, section: &SectionHeader64<LE>, all: &[SectionHeader64<LE>]) {
        let Some(bytes) = self.contents(section) else { return };
        let names = all.get(section.sh_link.get(LE) as usize).and_then(|names| self.contents(names));
        let entries = bytes.read_slice_at::<Sym64<LE>>(0, bytes.len() / size_of::<Sym64<LE>>());
        let (Some(names), Ok(entries)) = (names, entries) else { return };
        let mut length = 0;
        for entry in entries.iter().filter(|entry| entry.st_type() == STT_FUNC) {
            let name = c_text(names, entry.st_name.get(LE).into()).unwrap_or_default();
            length += name.len();
            if length > LONGEST_NAMES {
                return;
            }
            if entry.st_shndx.get(LE) != SHN_UNDEF {
                self.functions.entry(entry.st_value.get(LE)).or_insert(name);
            }
        }
    }
}

fn identify(header: &FileHeader64<LE>) -> Result<(), StaticsError> {
    // Class 2: 64 bits; data 1: little-endian (ELF, figure 1-6).
    let (class, data) = (header.e_ident.class.0, header.e_ident.data.0);
    if class != 2 || data != 1 {
        return Err(StaticsError::Machine { machine: "a machine of another word or byte order".to_owned() });
    }
    let machine = header.e_machine.get(LE);
    if machine != EM_X86_64 {
        let machine = match machine.0 {
            183 => "aarch64".to_owned(),
            243 => "RISC-V".to_owned(),
            other => format!("machine {other}"),
        };
        return Err(StaticsError::Machine { machine });
    }
    match header.e_type.get(LE) {
        ET_DYN => Ok(()),
        _ => Err(malformed("it is an object file or a program")),
    }
}

fn c_text(names: &[u8], at: u64) -> Option<String> {
    let rest = names.get(usize::try_from(at).ok()?..)?;
    let end = rest.iter().take(LONGEST_NAME).position(|byte| *byte == 0)?;
    Some(String::from_utf8_lossy(&rest[..end]).into_owned())
}
