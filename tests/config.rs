use beartrap::agent::config::Config;
#[test]
fn probe() {
    for f in std::fs::read_dir("/tmp/bad").unwrap() {
        let p = f.unwrap().path();
        println!("== {}\n{}", p.display(), Config::load(&p).map(|_| ()).unwrap_err());
    }
}
