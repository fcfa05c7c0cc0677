fn main() {
    let text = std::fs::read_to_string(std::env::args().nth(1).unwrap()).unwrap();
    let mut renderer = render::Renderer::default();
    match spec::read(&text, None) {
        Err(p) => for x in p { println!("{x}  {:?}", x.complaint.hint) },
        Ok(r) => for x in r { print!("{}", renderer.render(&x.cluster).unwrap_or_else(|e| panic!("{e}")).to_yaml()) },
    }
}
