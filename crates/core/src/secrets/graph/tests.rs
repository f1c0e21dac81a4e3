use super::*;

fn request(path: &str) -> Request {
    Request::read(path).expect("a good path")
}

#[test]
fn two_ways_of_writing_one_secret_become_one() {
    let mut graph = Graph::default();
    let plain = graph.intern(&request("secret/web"));
    let data = graph.intern(&request("secret/data/web"));
    assert_ne!(plain, data, "nobody knows yet");
    graph.get_mut(data).expect("it is there").users.insert(FileId(3));
    assert_eq!(graph.resolve(plain, request("secret/data/web")), Resolved::Itself);
    assert_eq!(graph.resolve(data, request("secret/data/web")), Resolved::Same(plain));
    assert_eq!(graph.intern(&request("secret/data/web")), plain);
    assert!(graph.get(data).is_none());
    assert!(graph.get(plain).expect("it is there").users.contains(&FileId(3)));
}

#[test]
fn a_path_that_is_written_as_the_server_keeps_it_is_the_secret_that_is_known_by_it() {
    let mut graph = Graph::default();
    let id = graph.intern(&request("secret/web"));
    graph.resolve(id, request("secret/data/web"));
    assert_eq!(graph.intern(&request("secret/data/web")), id);
    graph.remove(id);
    assert_ne!(graph.intern(&request("secret/data/web")), id);
}

#[test]
fn a_name_is_the_same_for_all_ways_of_writing_a_path_and_no_two_have_one() {
    fn name(graph: &mut Graph, path: &str) -> (SecretId, String) {
        let id = graph.intern(&request(path));
        (id, graph.get(id).expect("it is there").name.to_string())
    }
    let mut graph = Graph::default();
    let (id, first) = name(&mut graph, "secret/web");
    assert_eq!(first.len(), 8);
    assert_eq!(name(&mut graph, "secret/web").1, first);
    let (twin, second) = name(&mut graph, "secret/data/web");
    assert_eq!(second, format!("{first}-2"), "until it is known that they are one");
    assert_ne!(name(&mut graph, "secret/other").1, first);
    // A secret that is dropped and comes back has its former name, unless another has that by now.
    graph.remove(id);
    assert_eq!(name(&mut graph, "secret/web").1, format!("{first}-3"));
    let (again, _) = name(&mut graph, "secret/web");
    graph.remove(twin);
    graph.remove(again);
    assert_eq!(name(&mut graph, "secret/web").1, first);
    let mut next = Graph::default();
    let adopted = next.adopt(request("secret/data/web"), vec![request("secret/web")]);
    assert_eq!(next.get(adopted).expect("it is there").name.to_string(), first, "in the next run too");
}

#[test]
fn an_adopted_secret_is_known_by_every_name_it_had() {
    let mut graph = Graph::default();
    let id = graph.adopt(request("secret/data/web"), vec![request("secret/web")]);
    assert_eq!(graph.intern(&request("secret/web")), id);
    assert_eq!(graph.intern(&request("secret/data/web")), id);
    graph.remove(id);
    assert_ne!(graph.intern(&request("secret/web")), id, "a dropped secret is not found again");
}
